// Values that are still being made, of a picture or an upload: who needs them waits.
const all = new Set();

export function making(make) {
	const promise = make();
	const end = () => all.delete(promise);
	all.add(promise);
	promise.then(end, end);
}

// Until none is, or `signal` says stop.
export async function made(signal) {
	const stopped = new Promise((resolve) => signal?.addEventListener("abort", resolve));
	while (all.size) {
		await Promise.race([stopped, Promise.allSettled(all)]);
		signal?.throwIfAborted();
	}
}
