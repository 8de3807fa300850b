/** Keeps this process's event loop from turning, as a long computation does, but leaves the processor to the other tests. */
export const blockedFor = (millis: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis)
}
