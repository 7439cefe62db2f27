import { useCallback, useEffect, useState } from 'react'
import type { Database } from './database'
import { withDeadline } from './poll'
import { ApiError, loadingProblem, type Problem } from './sentences'
import type { Supabase } from './supabase'

export interface Org {
  id: string
  name: string
  timeZone: string
  role: Database['public']['Enums']['org_role']
}

export type OrgState =
  | { status: 'loading' }
  | { status: 'failed'; problem: Problem }
  /** Signed in, but a member of nothing. */
  | { status: 'none' }
  | { status: 'ready'; org: Org }

const TIMEOUT_MS = 12_000

/** The org of the signed-in coach: the oldest membership, when there are several. */
export function useOrg(client: Supabase, userId: string): OrgState & { retry: () => void } {
  const [held, setHeld] = useState<{ userId: string; state: OrgState }>({ userId, state: { status: 'loading' } })
  const [attempt, setAttempt] = useState(0)

  useEffect(() => {
    const left = new AbortController()
    let stopped = false
    withDeadline((signal) => loadOrg(client, userId, signal), TIMEOUT_MS, left)
      .catch((error: unknown): OrgState => {
        return { status: 'failed', problem: loadingProblem(error, 'Your organisation could not be loaded') }
      })
      .then((state) => {
        if (!stopped) setHeld({ userId, state })
      })
    return () => {
      stopped = true
      left.abort()
    }
  }, [client, userId, attempt])

  const retry = useCallback(() => {
    setHeld((before) => ({ ...before, state: { status: 'loading' } }))
    setAttempt((count) => count + 1)
  }, [])

  return { ...(held.userId === userId ? held.state : { status: 'loading' as const }), retry }
}

async function loadOrg(client: Supabase, userId: string, signal: AbortSignal): Promise<OrgState> {
  const { data, error, status } = await client
    .from('org_members')
    .select('role, orgs(id, name, timezone)')
    // Row security may show a member their colleagues' rows too.
    .eq('user_id', userId)
    .order('created_at')
    .limit(1)
    .retry(false)
    .abortSignal(signal)
  if (error) throw new ApiError(status, error.code || null)
  const row = data[0]
  if (!row?.orgs) return { status: 'none' }
  return {
    status: 'ready',
    org: { id: row.orgs.id, name: row.orgs.name, timeZone: row.orgs.timezone, role: row.role },
  }
}
