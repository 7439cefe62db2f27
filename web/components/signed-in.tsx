'use client'

import type { User } from '@supabase/supabase-js'
import { useRouter } from 'next/navigation'
import { createContext, useContext, useEffect, useMemo, type ReactNode } from 'react'
import type { Supabase } from '@/lib/supabase'
import { useAccess } from './supabase-provider'

interface SignedInContext {
  client: Supabase
  user: User
}

const Context = createContext<SignedInContext | null>(null)

/** Shows its children to a signed-in coach; anyone else is sent to sign in. */
export function SignedIn({ children }: { children: ReactNode }) {
  const access = useAccess()
  const router = useRouter()
  const signedOut = access?.session === null
  const client = access?.client
  const user = access?.session?.user

  useEffect(() => {
    if (signedOut) router.replace('/sign-in')
  }, [signedOut, router])

  const value = useMemo(() => (client && user ? { client, user } : null), [client, user])
  if (!value) {
    return (
      <main className="lone" aria-busy="true">
        <p className="quiet">Opening Coach OS…</p>
      </main>
    )
  }
  return <Context value={value}>{children}</Context>
}

export function useSignedIn(): SignedInContext {
  const value = useContext(Context)
  if (!value) throw new Error('useSignedIn is for components inside <SignedIn>')
  return value
}
