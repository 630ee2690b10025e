// The camera: a live loop with one call in flight; frames that come meanwhile are dropped.
import { making } from "../making.mjs";
import { editFor } from "../media/fit.mjs";
import { grab } from "../media/pictures.mjs";
import { Feed, MaxSide } from "./feed.mjs";
import { Button, Choice, Notice, StartStop, html, useEffect, useRef, useState, useStore } from "../parts.mjs";

const BARRED = `The browser bars the camera on this address. It allows it on https:// and on localhost: open the page on
	the machine itself, or put a proxy with a certificate in front. Pictures and videos from disk work here too.`;
const FAILURES = {
	NotAllowedError: "The camera is not allowed for this page. Allow it in the address bar and choose the source again.",
	NotFoundError: "No camera was found. Connect one, or use pictures and videos from disk.",
	NotReadableError: "The camera is in use by another program.",
};
const FRAME_TIMEOUT_MS = 500; // a hidden page gets no frames, the loop may end then

export function CameraSource({ session }) {
	const { run, feed } = useStore(session);
	const video = useRef(null);
	const [devices, setDevices] = useState([]);
	const [device, setDevice] = useState("");
	const [isMirrored, setMirrored] = useState(true);
	const [maxSide, setMaxSide] = useState(() => editFor(session.command.inputs.find((one) => one.name === feed)).width || 640);
	const [problem, setProblem] = useState(null);
	const [isReady, setReady] = useState(false);
	const camera = navigator.mediaDevices; // barred where the page is not secure

	useEffect(() => {
		let stream = null;
		let isGone = false;
		const close = () => stream?.getTracks().forEach((track) => track.stop());
		const open = async () => {
			stream = await camera.getUserMedia({ video: device ? { deviceId: { exact: device } } : true });
			if (isGone) return close();
			video.current.srcObject = stream;
			await video.current.play();
			setReady(true);
			setProblem(null);
			return setDevices((await camera.enumerateDevices()).filter((one) => one.kind === "videoinput"));
		};
		if (camera) open().catch((error) => isGone || setProblem(FAILURES[error.name] ?? `The camera cannot be opened: ${error.message}`));
		return () => {
			isGone = true;
			setReady(false);
			close();
		};
	}, [device]);

	const settings = useRef(null);
	settings.current = [maxSide, isMirrored]; // they may change while the loop runs
	const frame = async () => {
		await nextFrame(video.current);
		if (!video.current) return null;
		const uri = await grab(video.current, ...settings.current);
		return { values: { [session.get().feed]: uri }, label: "camera" };
	};
	const takePicture = () => making(async () => {
		session.setValues((await frame()).values);
		session.set({ source: "hand" });
	});
	if (!camera) return html`<${Notice}>${BARRED}<//>`;
	const choices = [["", "Default"], ...devices.map((one, index) => [one.deviceId, one.label || `Camera ${index + 1}`])];
	return html`<div class="camera-source">
		<div class="video-frame">
			<video ref=${video} muted playsinline class=${isMirrored ? "is-mirrored" : ""} aria-label="Camera"></video>
			${run?.fps && html`<span class="badge fps" data-fps=${run.fps.toFixed(2)}>${run.fps.toFixed(1)} fps</span>`}
		</div>
		${problem && html`<${Notice}>${problem}<//>`}
		<div class="row">
			<${StartStop} session=${session} text="Start live" disabled=${!isReady} onClick=${() => session.loop(frame)} />
			<${Button} icon="camera" class="" disabled=${!isReady || Boolean(run)} onClick=${takePicture}>Take picture<//>
		</div>
		<div class="row">
			<${Choice} label="Device" value=${device} disabled=${Boolean(run)} options=${choices} onTake=${setDevice} />
			<${MaxSide} value=${maxSide} onChange=${setMaxSide} />
			<label class="mini inline"><input type="checkbox" checked=${isMirrored} onChange=${(event) => setMirrored(event.target.checked)} /> Mirror</label>
			<${Feed} session=${session} />
		</div>
	</div>`;
}

const nextFrame = (video) =>
	new Promise((resolve) => {
		video?.requestVideoFrameCallback(resolve);
		setTimeout(resolve, video ? FRAME_TIMEOUT_MS : 0);
	});
