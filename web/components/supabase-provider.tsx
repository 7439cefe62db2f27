'use client'

import type { Session } from '@supabase/supabase-js'
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import { createSupabase, type Supabase } from '@/lib/supabase'
import type { PublicConfig } from '@/lib/server/config'

interface Access {
  client: Supabase
  /** Undefined until the browser has looked for a kept session. */
  session: Session | null | undefined
}

const AccessContext = createContext<Access | null>(null)

// In the browser only, where the session is kept; and one per address, because two
// clients would refresh the same session against each other.
const clients = new Map<string, Supabase>()

function clientFor(url: string, publishableKey: string): Supabase {
  const key = `${url} ${publishableKey}`
  const client = clients.get(key) ?? createSupabase(url, publishableKey)
  clients.set(key, client)
  return client
}

export function SupabaseProvider({ config, children }: { config: PublicConfig; children: ReactNode }) {
  const { url, publishableKey } = config
  const [client, setClient] = useState<Supabase | null>(null)
  const [session, setSession] = useState<Session | null | undefined>(undefined)

  useEffect(() => {
    const made = clientFor(url ?? window.location.origin, publishableKey)
    const { data } = made.auth.onAuthStateChange((_event, next) => {
      setClient(made)
      setSession(next)
    })
    return () => data.subscription.unsubscribe()
  }, [url, publishableKey])

  const access = useMemo(() => (client ? { client, session } : null), [client, session])
  return <AccessContext value={access}>{children}</AccessContext>
}

/** Null while the page is starting. */
export function useAccess(): Access | null {
  return useContext(AccessContext)
}
