'use client'

import { useRouter } from 'next/navigation'
import { useEffect, useRef, useState, type FormEvent } from 'react'
import { signInSentence } from '@/lib/sentences'
import { Mark } from './mark'
import { useAccess } from './supabase-provider'

interface Problem {
  /** The field to correct; null when it is neither one's fault alone. */
  field: 'email' | 'password' | null
  sentence: string
}

export function SignInForm() {
  const access = useAccess()
  const router = useRouter()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem | null>(null)
  const email = useRef<HTMLInputElement>(null)
  const password = useRef<HTMLInputElement>(null)
  const signedIn = Boolean(access?.session)

  useEffect(() => {
    if (signedIn) router.replace('/calendar')
  }, [signedIn, router])

  function refuse(next: Problem) {
    setProblem(next)
    ;(next.field === 'password' ? password : email).current?.focus()
  }

  async function submit(event: FormEvent) {
    event.preventDefault()
    if (!access || busy) return
    const given = { email: email.current?.value.trim() ?? '', password: password.current?.value ?? '' }
    if (!/^\S+@\S+$/.test(given.email)) return refuse({ field: 'email', sentence: 'Enter your e-mail address.' })
    if (!given.password) return refuse({ field: 'password', sentence: 'Enter your password.' })

    setBusy(true)
    setProblem(null)
    const { error } = await access.client.auth.signInWithPassword(given)
    setBusy(false)
    // On success the session changes, and the effect above leaves this page.
    if (error) refuse({ field: null, sentence: signInSentence(error) })
  }

  const invalid = (field: 'email' | 'password') =>
    problem && (problem.field === field || problem.field === null)
      ? ({ 'aria-invalid': true, 'aria-describedby': 'sign-in-problem' } as const)
      : {}

  return (
    <main className="lone">
      <div className="sign-in">
        <div className="brand">
          <Mark size={36} />
          <span>Coach OS</span>
        </div>
        <h1>Sign in</h1>
        <form onSubmit={submit} noValidate>
          <label htmlFor="email">E-mail</label>
          <input
            ref={email}
            id="email"
            name="email"
            type="email"
            autoComplete="username"
            inputMode="email"
            autoCapitalize="none"
            spellCheck={false}
            {...invalid('email')}
          />
          <label htmlFor="password">Password</label>
          <input
            ref={password}
            id="password"
            name="password"
            type="password"
            autoComplete="current-password"
            {...invalid('password')}
          />
          <p className="form-problem" id="sign-in-problem" role="alert">
            {problem?.sentence}
          </p>
          <button type="submit" className="button primary" disabled={!access} aria-disabled={busy}>
            {busy || signedIn ? 'Signing in…' : 'Sign in'}
          </button>
        </form>
      </div>
    </main>
  )
}
