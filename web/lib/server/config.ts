import 'server-only'

/**
 * Settings of the running server. They are read at request time and never
 * under a NEXT_PUBLIC_ name, which would bake them into the build.
 */

/** What a browser may know. */
export interface PublicConfig {
  /** Where supabase-js sends its requests; null means the page's own origin. */
  url: string | null
  publishableKey: string
}

export type ConfigResult = { ok: true; config: PublicConfig } | { ok: false; sentence: string }

export function readPublicConfig(env: NodeJS.ProcessEnv = process.env): ConfigResult {
  const browserUrl = env.SUPABASE_BROWSER_URL?.trim() || null
  const serverUrl = env.SUPABASE_URL?.trim() || null
  const key = env.SUPABASE_PUBLISHABLE_KEY?.trim()

  if (!key) {
    return problem('SUPABASE_PUBLISHABLE_KEY is not set: give the web app the project’s publishable key and restart it.')
  }
  if (isSecret(key)) {
    return problem('SUPABASE_PUBLISHABLE_KEY holds a secret key, which must never reach a browser: set the publishable key instead and restart the web app.')
  }
  if (!browserUrl && !serverUrl) {
    return problem('SUPABASE_URL is not set: give the web app the address of the Supabase API and restart it.')
  }
  const bad = [
    ['SUPABASE_BROWSER_URL', browserUrl],
    ['SUPABASE_URL', serverUrl],
  ].find(([, value]) => value && !isWebAddress(value))
  if (bad) {
    return problem(`${bad[0]} is not a web address: it must look like http://host:port or https://project.example.`)
  }
  return { ok: true, config: { url: browserUrl, publishableKey: key } }
}

/** The API's base address for calls this server forwards, without a trailing slash. */
export function readApiUrl(env: NodeJS.ProcessEnv = process.env): string | null {
  const url = env.SUPABASE_URL?.trim()
  return url ? url.replace(/\/+$/, '') : null
}

function problem(sentence: string): ConfigResult {
  return { ok: false, sentence }
}

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}

/** A new-style secret key, or an old-style token for any role above `anon`. */
function isSecret(key: string): boolean {
  if (key.startsWith('sb_secret_')) return true
  const payload = key.split('.')[1]
  if (!payload) return false
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { role?: unknown }
    return claims.role !== 'anon'
  } catch {
    return false
  }
}
