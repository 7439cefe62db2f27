import { forward } from '@/lib/server/forward'

export const dynamic = 'force-dynamic'

export { forward as DELETE, forward as GET, forward as HEAD, forward as PATCH, forward as POST, forward as PUT }
