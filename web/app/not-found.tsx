import Link from 'next/link'
import { Notice } from '@/components/notice'

export default function NotFound() {
  return (
    <main className="lone">
      <Notice tone="neutral" title="There is no such page" action={<Link className="button" href="/calendar">Open the calendar</Link>}>
        The address may be old or mistyped.
      </Notice>
    </main>
  )
}
