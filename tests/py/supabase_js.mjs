// The client library of the pages, driven from Python: each line of stdin is a request, each line of stdout its result.
// A request names who asks (one client each, with its own session), with which key, and the calls as the pages chain
// them: [["from", "clients"], ["select", "id"], ["eq", "id", "…"], ["single"]].
import { createInterface } from 'node:readline'
import { createClient } from '@supabase/supabase-js'

const [url] = process.argv.slice(2)
const options = {
  auth: { persistSession: false, autoRefreshToken: false },
  // Node 20 has no WebSocket of its own, and the local API no Realtime: never opened.
  realtime: { transport: class {} },
}
const clients = new Map()

for await (const line of createInterface({ input: process.stdin })) {
  const { who, key, chain } = JSON.parse(line)
  if (!clients.has(who)) clients.set(who, createClient(url, key, options))
  let result = clients.get(who)
  for (const [name, ...args] of chain) {
    result = typeof result[name] === 'function' ? result[name](...args) : result[name]
  }
  const { data = null, error = null, status = null, count = null } = await result
  // An error of the auth part is an Error, whose message JSON leaves out.
  const told = error && { code: error.code ?? null, message: error.message, details: error.details ?? null }
  console.log(JSON.stringify({ data, error: told, status, count }))
}
