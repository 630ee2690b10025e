// A video file, frame by frame.
import { grab } from "../media/pictures.mjs";
import { Feed, MaxSide } from "./feed.mjs";
import { FileButton, Icon, Notice, NumberField, Progress, StartStop, dropTarget, html, useEffect, useObjectUrl, useRef, useState, useStore } from "../parts.mjs";

export function VideoSource({ session }) {
	const { run } = useStore(session);
	const video = useRef(null);
	const [file, setFile] = useState(null);
	const [fps, setFps] = useState(10);
	const [maxSide, setMaxSide] = useState(640);
	const [duration, setDuration] = useState(0);
	const [problem, setProblem] = useState(null);
	const url = useObjectUrl(file);
	useEffect(() => {
		setProblem(null);
		setDuration(0);
	}, [file]);

	const take = ([first]) => setFile(first.file);
	const total = Math.max(1, Math.floor(duration * fps));
	const start = () => {
		let index = 0;
		const next = async () => {
			if (index >= total || !video.current) return null;
			await seek(video.current, (index + 0.5) / fps);
			index += 1;
			return { values: { [session.get().feed]: await grab(video.current, maxSide) }, label: `frame ${index}` };
		};
		session.loop(next, total);
	};
	// Recordings of browsers carry no length until they were read to the end.
	const measure = async ({ target }) => {
		if (!Number.isFinite(target.duration)) await seek(target, 1e7);
		setDuration(Number.isFinite(target.duration) ? target.duration : target.currentTime);
		await seek(target, 0);
	};
	const fail = () => setProblem("This browser cannot play the file. Try mp4 (H.264) or webm.");
	return html`<div class="video-source" ...${dropTarget(take)}>
		${url
			? html`<div class="video-frame">
					<video ref=${video} src=${url} muted playsinline aria-label="Video" onLoadedMetadata=${measure} onError=${fail}></video>
				</div>`
			: html`<div class="drop-zone"><${Icon} name="film" /><p>Drop a video here</p></div>`}
		${problem && html`<${Notice}>${problem}<//>`}
		<div class="row">
			<${FileButton} icon="film" text="Choose a video" class="" accept="video/*" disabled=${Boolean(run)} data-upload="video" onFiles=${take} />
			<${StartStop} session=${session} text="Run ${total} frames" disabled=${!duration} onClick=${start} />
		</div>
		<${Progress} run=${run} label="Frames" />
		<div class="row">
			<${NumberField} label="Frames a second" value=${fps} min=${0.1} max=${60} onTake=${setFps} />
			<${MaxSide} value=${maxSide} onChange=${setMaxSide} />
			<${Feed} session=${session} />
		</div>
	</div>`;
}

function seek(video, seconds) {
	const ends = new AbortController();
	return new Promise((resolve, reject) => {
		const once = { signal: ends.signal };
		video.addEventListener("seeked", resolve, once);
		video.addEventListener("error", () => reject(new Error("The video cannot be read any further.")), once);
		video.currentTime = seconds;
	}).finally(() => ends.abort());
}
