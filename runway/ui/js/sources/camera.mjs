// The camera: a live loop with one call in flight; frames that come meanwhile are dropped.
import { editFor } from "../media/fit.mjs";
import { grab } from "../media/pictures.mjs";
import { Feed } from "./index.mjs";
import { MaxSide } from "./size.mjs";
import { Button, Choice, Notice, StartStop, html, useEffect, useRef, useState, useStore } from "../parts.mjs";

const BARRED = `The browser bars the camera on this address. It allows it on https:// and on localhost: open the page on
  the machine itself, or put a proxy with a certificate in front. Pictures and videos from disk work here too.`;

export function CameraSource({ session }) {
  const { run, feed } = useStore(session.store);
  const video = useRef(null);
  const [devices, setDevices] = useState([]);
  const [device, setDevice] = useState("");
  const [isMirrored, setMirrored] = useState(true);
  const type = session.command.inputs.find((one) => one.name === feed);
  const [maxSide, setMaxSide] = useState(() => editFor(type).width || 640);
  const [problem, setProblem] = useState(null);
  const [isReady, setReady] = useState(false);
  const isBarred = !navigator.mediaDevices?.getUserMedia;

  useEffect(() => {
    if (isBarred) return undefined;
    let stream = null;
    let isGone = false;
    const open = async () => {
      try {
        const wanted = device ? { deviceId: { exact: device } } : true;
        stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
        if (isGone) return close();
        video.current.srcObject = stream;
        await video.current.play();
        setReady(true);
        const all = await navigator.mediaDevices.enumerateDevices();
        setDevices(all.filter((one) => one.kind === "videoinput"));
        setProblem(null);
      } catch (error) {
        if (!isGone) setProblem(explain(error));
      }
      return undefined;
    };
    const close = () => stream?.getTracks().forEach((track) => track.stop());
    open();
    return () => {
      isGone = true;
      setReady(false);
      close();
    };
  }, [device]);

  const options = useRef({});
  options.current = { isMirrored, maxSide };
  const frame = async () => {
    await nextFrame(video.current);
    if (!video.current) return null;
    const uri = await grab(video.current, options.current.maxSide, { mirror: options.current.isMirrored });
    return { values: { [session.get().feed]: uri }, label: "camera" };
  };
  if (isBarred) return html`<${Notice}>${BARRED}<//>`;
  return html`
    <div class="camera-source">
      <div class="video-frame">
        <video ref=${video} muted playsinline class=${isMirrored ? "is-mirrored" : ""} aria-label="Camera"></video>
        ${run?.fps && html`<span class="badge fps" data-fps=${run.fps.toFixed(2)}>${run.fps.toFixed(1)} fps</span>`}
      </div>
      ${problem && html`<${Notice}>${problem}<//>`}
      <div class="row">
        <${StartStop} session=${session} text="Start live" disabled=${!isReady} onClick=${() => session.loop(frame)} />
        <${Button}
          icon="camera"
          class=""
          disabled=${!isReady || Boolean(run)}
          onClick=${async () => {
            const { values } = await frame();
            session.setValues(values);
            session.store.set({ source: "hand" });
          }}
        >
          Take picture
        <//>
      </div>
      <div class="row">
        <${Choice}
          label="Device"
          value=${device}
          disabled=${Boolean(run)}
          options=${[["", "Default"], ...devices.map((one, index) => [one.deviceId, one.label || `Camera ${index + 1}`])]}
          onTake=${setDevice}
        />
        <${MaxSide} value=${maxSide} onChange=${setMaxSide} />
        <label class="mini inline"><input type="checkbox" checked=${isMirrored} onChange=${(event) => setMirrored(event.target.checked)} /> Mirror</label>
        <${Feed} session=${session} />
      </div>
    </div>
  `;
}

function nextFrame(video) {
  if (!video) return Promise.resolve();
  return new Promise((resolve) => {
    if (video.requestVideoFrameCallback) {
      const timer = setTimeout(resolve, 500); // a hidden page gets no frames, the loop may end then
      video.requestVideoFrameCallback(() => {
        clearTimeout(timer);
        resolve();
      });
    } else requestAnimationFrame(resolve);
  });
}

function explain(error) {
  const texts = {
    NotAllowedError: "The camera is not allowed for this page. Allow it in the address bar and choose the source again.",
    NotFoundError: "No camera was found. Connect one, or use pictures and videos from disk.",
    NotReadableError: "The camera is in use by another program.",
  };
  return texts[error.name] ?? `The camera cannot be opened: ${error.message}`;
}
