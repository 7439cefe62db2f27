// Loaded before `@supabase/lite`, of which it changes one thing while it is read: the API hands the Postgres driver a
// json or jsonb argument of a function as text, and the driver's options there write that as JSON once more, so that
// the function gets a JSON string where hosted Supabase gives it an object or an array.
import { register } from 'node:module'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) register(import.meta.url)

const ONCE_MORE = /serialize:(\w+)=>JSON\.stringify\(\1\)/g
const UNLESS_IT_IS = 'serialize:$1=>typeof $1==="string"&&/^[[{]/.test($1)?$1:JSON.stringify($1)'

export async function load(url, context, next) {
  const loaded = await next(url, context)
  if (!url.endsWith('/dist/db/postgres/PostgresConnection.js')) return loaded
  const source = String(loaded.source)
  if (source.match(ONCE_MORE)?.length !== 2) throw new Error('@supabase/lite is not the version that this changes')
  return { ...loaded, source: source.replaceAll(ONCE_MORE, UNLESS_IT_IS) }
}
