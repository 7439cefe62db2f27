'use client'

import { useState } from 'react'
import { Mark } from './mark'
import { useSignedIn } from './signed-in'

export function TopBar({ orgName }: { orgName: string | null }) {
  const { client, user } = useSignedIn()
  const [state, setState] = useState<'idle' | 'leaving' | 'failed'>('idle')

  async function signOut() {
    setState('leaving')
    // This browser only: the coach's phone stays signed in.
    const { error } = await client.auth.signOut({ scope: 'local' })
    if (error) setState('failed')
  }

  return (
    <header className="top-bar">
      <div className="brand">
        <Mark />
        <span>Coach OS</span>
      </div>
      {orgName ? <span className="org-name">{orgName}</span> : null}
      <span className="who" title={user.email}>
        {user.email}
      </span>
      <button type="button" className="button ghost" onClick={signOut} disabled={state === 'leaving'}>
        {state === 'failed' ? 'Still signed in. Retry sign-out' : 'Sign out'}
      </button>
    </header>
  )
}
