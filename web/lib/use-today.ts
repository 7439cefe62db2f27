import { useCallback, useSyncExternalStore } from 'react'
import { today, type Day } from './time'

/** The org's current day; changes at the org's midnight, not the browser's. */
export function useToday(timeZone: string): Day {
  return useSyncExternalStore(
    everyHalfMinute,
    useCallback(() => today(timeZone), [timeZone]),
    useCallback(() => today(timeZone), [timeZone]),
  )
}

function everyHalfMinute(changed: () => void): () => void {
  const timer = setInterval(changed, 30_000)
  return () => clearInterval(timer)
}
