import type { ReactNode } from 'react'

interface NoticeProps {
  tone: 'neutral' | 'warning' | 'problem'
  title?: string
  children: ReactNode
  action?: ReactNode
}

/** A sentence that stands where content would. Problems are announced at once. */
export function Notice({ tone, title, children, action }: NoticeProps) {
  return (
    <div className="notice" data-tone={tone} role={tone === 'problem' ? 'alert' : 'status'}>
      <div className="notice-text">
        {title ? <h2>{title}</h2> : null}
        <p>{children}</p>
      </div>
      {action ? <div className="notice-action">{action}</div> : null}
    </div>
  )
}
