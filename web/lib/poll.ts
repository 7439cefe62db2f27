/**
 * Repeats a request for as long as someone looks at its answer. The next one is
 * planned only after the last has ended, so requests never overlap; stopping
 * aborts the one under way and its answer is dropped; failures make the pauses
 * longer; a hidden tab asks nothing and catches up when it is seen again.
 */
export interface PollOptions<T> {
  run: (signal: AbortSignal) => Promise<T>
  onResult: (value: T) => void
  onFailure: (error: unknown) => void
  intervalMs: number
  /** The longest pause that repeated failures lead to. */
  maxIntervalMs: number
  timeoutMs: number
}

export function startPolling<T>(options: PollOptions<T>): () => void {
  let stopped = false
  let running: AbortController | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0

  async function tick() {
    if (stopped || running) return
    clearTimeout(timer)
    const attempt = new AbortController()
    running = attempt
    try {
      const value = await withDeadline(options.run, options.timeoutMs, attempt)
      if (stopped) return
      failures = 0
      options.onResult(value)
    } catch (error) {
      if (stopped) return
      failures += 1
      options.onFailure(error)
    } finally {
      running = null
      if (!stopped && !document.hidden) timer = setTimeout(tick, pause())
    }
  }

  function pause(): number {
    return Math.min(options.intervalMs * 2 ** Math.max(0, failures - 1), options.maxIntervalMs)
  }

  function wake() {
    if (document.hidden) clearTimeout(timer)
    else void tick()
  }

  document.addEventListener('visibilitychange', wake)
  window.addEventListener('online', wake)
  void tick()

  return () => {
    stopped = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', wake)
    window.removeEventListener('online', wake)
    running?.abort()
  }
}

/**
 * Runs a request and gives up at the deadline, with a `TimeoutError`, or when the
 * controller aborts. A race, because a client that waits for its own lock or
 * token does not hear the signal.
 */
export async function withDeadline<T>(
  run: (signal: AbortSignal) => Promise<T>,
  timeoutMs: number,
  controller: AbortController,
): Promise<T> {
  const { signal } = controller
  const timer = setTimeout(() => controller.abort(new DOMException('No answer in time', 'TimeoutError')), timeoutMs)
  const ended = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  )
  try {
    return await Promise.race([run(signal), ended])
  } catch (error) {
    // An aborted request fails in the client's own words; the reason is ours.
    throw signal.aborted ? signal.reason : error
  } finally {
    clearTimeout(timer)
  }
}
