// A video file, frame by frame.
import { grab } from "../media/pictures.mjs";
import { Feed } from "./index.mjs";
import { MaxSide } from "./size.mjs";
import { FileButton, Icon, Notice, NumberField, Progress, StartStop, dropTarget, html, useEffect, useRef, useState, useStore } from "../parts.mjs";

export function VideoSource({ session }) {
  const { run } = useStore(session.store);
  const video = useRef(null);
  const [file, setFile] = useState(null);
  const [url, setUrl] = useState(null);
  const [fps, setFps] = useState(10);
  const [maxSide, setMaxSide] = useState(640);
  const [duration, setDuration] = useState(0);
  const [problem, setProblem] = useState(null);

  useEffect(() => {
    if (!file) return undefined;
    const made = URL.createObjectURL(file);
    setUrl(made);
    setProblem(null);
    setDuration(0);
    return () => URL.revokeObjectURL(made);
  }, [file]);

  const total = Math.max(1, Math.floor(duration * fps));
  const start = () => {
    let index = 0;
    const next = async () => {
      if (index >= total || !video.current) return null;
      await seek(video.current, (index + 0.5) / fps);
      const uri = await grab(video.current, maxSide);
      index += 1;
      return { values: { [session.get().feed]: uri }, label: `frame ${index}` };
    };
    session.store.set(({ limit }) => ({ limit: Math.max(limit, total) }));
    session.loop(next, total);
  };
  // Recordings of browsers carry no length until they were read to the end.
  const measure = async () => {
    const element = video.current;
    if (!Number.isFinite(element.duration)) await seek(element, 1e7);
    setDuration(Number.isFinite(element.duration) ? element.duration : element.currentTime);
    await seek(element, 0);
  };
  return html`
    <div class="video-source" ...${dropTarget((transfer) => setFile(transfer.files[0] ?? null))}>
      ${url
        ? html`<div class="video-frame">
            <video
              ref=${video}
              src=${url}
              muted
              playsinline
              preload="auto"
              aria-label="Video"
              onLoadedMetadata=${measure}
              onError=${() => setProblem("This browser cannot play the file. Try mp4 (H.264) or webm.")}
            ></video>
          </div>`
        : html`<div class="drop-zone"><${Icon} name="film" /><p>Drop a video here</p></div>`}
      ${problem && html`<${Notice}>${problem}<//>`}
      <div class="row">
        <${FileButton}
          icon="film"
          text="Choose a video"
          class=""
          accept="video/*"
          disabled=${Boolean(run)}
          data-upload="video"
          onFiles=${([{ file: chosen }]) => setFile(chosen)}
        />
        <${StartStop} session=${session} text=${`Run ${total} frames`} disabled=${!duration} onClick=${start} />
      </div>
      ${run && html`<${Progress} run=${run} label="Frames" />`}
      <div class="row">
        <${NumberField} label="Frames a second" value=${fps} min=${0.1} max=${60} onTake=${setFps} />
        <${MaxSide} value=${maxSide} onChange=${setMaxSide} />
        <${Feed} session=${session} />
      </div>
    </div>
  `;
}

function seek(video, seconds) {
  return new Promise((resolve, reject) => {
    const done = () => {
      video.removeEventListener("seeked", done);
      video.removeEventListener("error", failed);
      resolve();
    };
    const failed = () => reject(new Error("The video cannot be read any further."));
    video.addEventListener("seeked", done);
    video.addEventListener("error", failed, { once: true });
    video.currentTime = seconds;
  });
}
