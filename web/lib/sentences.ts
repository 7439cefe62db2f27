/** What went wrong, in words for the person at the screen: what failed and what to do. */

export type ProblemKind = 'offline' | 'timeout' | 'signed-out' | 'forbidden' | 'server'

export interface Problem {
  kind: ProblemKind
  sentence: string
}

/** An answer of the API that is no success; thrown by the reading functions of lib/. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string | null,
  ) {
    // No message of the server's: it can quote the data it was asked for.
    super(`API answered ${status}${code ? ` (${code})` : ''}`)
    this.name = 'ApiError'
  }
}

/** `failed` is the sentence's beginning: "The bookings could not be loaded". */
export function loadingProblem(error: unknown, failed: string): Problem {
  const kind = kindOf(error)
  switch (kind) {
    case 'offline':
      return { kind, sentence: `${failed}: there is no connection to Coach OS.` }
    case 'timeout':
      return { kind, sentence: `${failed}: Coach OS took too long to answer.` }
    case 'signed-out':
      return { kind, sentence: `${failed}: your sign-in has expired. Sign in again.` }
    case 'forbidden':
      return { kind, sentence: `${failed}: your account is not allowed to see this.` }
    case 'server':
      return { kind, sentence: `${failed}: Coach OS had a problem answering.` }
  }
}

function kindOf(error: unknown): ProblemKind {
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'timeout'
  if (!(error instanceof ApiError)) return 'server'
  const { status, code } = error
  if (code === 'API_TIMED_OUT' || code === '57014') return 'timeout'
  if (status === 0 || code === 'API_UNREACHABLE') return 'offline'
  if (status === 401 || code === 'PGRST301' || code === 'PGRST303') return 'signed-out'
  if (status === 403 || code === '42501') return 'forbidden'
  return 'server'
}

/** supabase-js's sign-in errors; `status` 0 or absent means that no answer came. */
export function signInSentence(error: { code?: string; status?: number; message: string }): string {
  const { code, status = 0 } = error
  if (code === 'invalid_credentials' || /invalid login credentials/i.test(error.message)) {
    return 'That e-mail and password do not match. Check both and try again.'
  }
  if (code === 'email_not_confirmed') {
    return 'This e-mail address is not confirmed yet. Open the link in the message you were sent, then sign in.'
  }
  if (code === 'user_banned') return 'This account is blocked. Ask the owner of your organisation.'
  if (status === 429) return 'Too many attempts. Wait a minute, then try again.'
  if (status === 0 || (status >= 502 && status <= 504)) {
    return 'Coach OS could not be reached. Check your connection and try again.'
  }
  return 'Signing in did not work just now. Try again in a minute.'
}
