// Written by `./just types` (supabase gen types) from what the migrations build. Not to be edited.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  
  "public": {
          Tables: {
            "activity_events": {
                  Row: {
                    "client_id": string,"created_at": string,"id": string,"org_id": string,"payload": NonNullable<Json>,"photo_paths": (string)[] | null,"type": string
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at"?: string,"id"?: string,"org_id": string,"payload": NonNullable<Json>,"photo_paths"?: (string)[] | null,"type": string
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"id"?: string,"org_id"?: string,"payload"?: NonNullable<Json>,"photo_paths"?: (string)[] | null,"type"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "activity_events_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "activity_events_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "activity_events_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"audit_events": {
                  Row: {
                    "action": string,"actor_id": string | null,"actor_role": string,"changes": NonNullable<Json>,"created_at": string,"id": string,"org_id": string,"row_id": string,"seq": number,"table_name": string,"transaction_id": number
                  }
                  ComputedFields: never
                  Insert: {
                    "action": string,"actor_id"?: string | null,"actor_role": string,"changes": NonNullable<Json>,"created_at"?: string,"id"?: string,"org_id": string,"row_id": string,"seq"?: never,"table_name": string,"transaction_id"?: number
                  }
                  Update: {
                    "action"?: string,"actor_id"?: string | null,"actor_role"?: string,"changes"?: NonNullable<Json>,"created_at"?: string,"id"?: string,"org_id"?: string,"row_id"?: string,"seq"?: never,"table_name"?: string,"transaction_id"?: number
                  }
                  Relationships: [
                    
                  ]
                },"automation_runs": {
                  Row: {
                    "actions_fired": NonNullable<Json>,"actions_left": NonNullable<Json>,"attempts": number,"automation_id": string,"client_id": string,"due_at": string | null,"event": string | null,"failed_action": string | null,"fired_at": string,"id": string,"next_attempt_at": string | null,"org_id": string,"reason": string | null,"sending_since": string | null,"status": string
                  }
                  ComputedFields: never
                  Insert: {
                    "actions_fired"?: NonNullable<Json>,"actions_left"?: NonNullable<Json>,"attempts"?: number,"automation_id": string,"client_id": string,"due_at"?: string | null,"event"?: string | null,"failed_action"?: string | null,"fired_at"?: string,"id"?: string,"next_attempt_at"?: string | null,"org_id": string,"reason"?: string | null,"sending_since"?: string | null,"status": string
                  }
                  Update: {
                    "actions_fired"?: NonNullable<Json>,"actions_left"?: NonNullable<Json>,"attempts"?: number,"automation_id"?: string,"client_id"?: string,"due_at"?: string | null,"event"?: string | null,"failed_action"?: string | null,"fired_at"?: string,"id"?: string,"next_attempt_at"?: string | null,"org_id"?: string,"reason"?: string | null,"sending_since"?: string | null,"status"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "automation_runs_automation_id_fkey"
      columns: ["automation_id"]
isOneToOne: false
      referencedRelation: "automations"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "automation_runs_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "automation_runs_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "automation_runs_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"automations": {
                  Row: {
                    "actions": NonNullable<Json>,"conditions": NonNullable<Json>,"created_at": string,"enabled": boolean,"guardrails": NonNullable<Json>,"id": string,"name": string,"next_due_at": string | null,"org_id": string,"trigger": NonNullable<Json>,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "actions"?: NonNullable<Json>,"conditions"?: NonNullable<Json>,"created_at"?: string,"enabled"?: boolean,"guardrails"?: NonNullable<Json>,"id"?: string,"name": string,"next_due_at"?: string | null,"org_id": string,"trigger": NonNullable<Json>,"updated_at"?: string
                  }
                  Update: {
                    "actions"?: NonNullable<Json>,"conditions"?: NonNullable<Json>,"created_at"?: string,"enabled"?: boolean,"guardrails"?: NonNullable<Json>,"id"?: string,"name"?: string,"next_due_at"?: string | null,"org_id"?: string,"trigger"?: NonNullable<Json>,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "automations_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "automations_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"availability": {
                  Row: {
                    "created_at": string,"day_of_week": number,"end_time": string,"id": string,"is_available": boolean | null,"org_id": string,"specific_date": string | null,"start_time": string,"updated_at": string,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"day_of_week": number,"end_time": string,"id"?: string,"is_available"?: boolean | null,"org_id": string,"specific_date"?: string | null,"start_time": string,"updated_at"?: string,"user_id"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"day_of_week"?: number,"end_time"?: string,"id"?: string,"is_available"?: boolean | null,"org_id"?: string,"specific_date"?: string | null,"start_time"?: string,"updated_at"?: string,"user_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "availability_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "availability_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"blocked_times": {
                  Row: {
                    "created_at": string | null,"date": string | null,"day_of_week": number | null,"end_time": string,"id": string,"org_id": string,"reason": string | null,"start_time": string,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string | null,"date"?: string | null,"day_of_week"?: number | null,"end_time": string,"id"?: string,"org_id": string,"reason"?: string | null,"start_time": string,"user_id"?: string | null
                  }
                  Update: {
                    "created_at"?: string | null,"date"?: string | null,"day_of_week"?: number | null,"end_time"?: string,"id"?: string,"org_id"?: string,"reason"?: string | null,"start_time"?: string,"user_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "blocked_times_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "blocked_times_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"booking_settings": {
                  Row: {
                    "allow_client_booking": boolean | null,"allow_client_cancel": boolean | null,"buffer_between_mins": number | null,"cancel_notice_hours": number | null,"charge_no_show": boolean,"created_at": string,"early_cutoff_before_hour": number | null,"early_cutoff_time": string | null,"gst_registered": boolean,"id": string,"late_cancel": string,"late_notice_hours": number | null,"max_advance_days": number | null,"min_notice_hours": number | null,"notify_phone": string | null,"org_id": string,"pass_stripe_fees": boolean,"send_confirmation_email": boolean | null,"send_reminder_1h": boolean | null,"send_reminder_24h": boolean | null,"slot_duration_mins": number | null,"timezone": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "allow_client_booking"?: boolean | null,"allow_client_cancel"?: boolean | null,"buffer_between_mins"?: number | null,"cancel_notice_hours"?: number | null,"charge_no_show"?: boolean,"created_at"?: string,"early_cutoff_before_hour"?: number | null,"early_cutoff_time"?: string | null,"gst_registered"?: boolean,"id"?: string,"late_cancel"?: string,"late_notice_hours"?: number | null,"max_advance_days"?: number | null,"min_notice_hours"?: number | null,"notify_phone"?: string | null,"org_id": string,"pass_stripe_fees"?: boolean,"send_confirmation_email"?: boolean | null,"send_reminder_1h"?: boolean | null,"send_reminder_24h"?: boolean | null,"slot_duration_mins"?: number | null,"timezone"?: string,"updated_at"?: string
                  }
                  Update: {
                    "allow_client_booking"?: boolean | null,"allow_client_cancel"?: boolean | null,"buffer_between_mins"?: number | null,"cancel_notice_hours"?: number | null,"charge_no_show"?: boolean,"created_at"?: string,"early_cutoff_before_hour"?: number | null,"early_cutoff_time"?: string | null,"gst_registered"?: boolean,"id"?: string,"late_cancel"?: string,"late_notice_hours"?: number | null,"max_advance_days"?: number | null,"min_notice_hours"?: number | null,"notify_phone"?: string | null,"org_id"?: string,"pass_stripe_fees"?: boolean,"send_confirmation_email"?: boolean | null,"send_reminder_1h"?: boolean | null,"send_reminder_24h"?: boolean | null,"slot_duration_mins"?: number | null,"timezone"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "booking_settings_org_id_fkey"
      columns: ["org_id"]
isOneToOne: true
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "booking_settings_org_id_fkey"
      columns: ["org_id"]
isOneToOne: true
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "booking_settings_timezone_is_the_orgs"
      columns: ["org_id","timezone"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id","timezone"]
    }
                  ]
                },"bookings": {
                  Row: {
                    "booked_by": string | null,"booking_source": string,"cancellation_reason": string | null,"cancelled_at": string | null,"cancelled_by": string | null,"client_confirmed": boolean | null,"client_id": string,"client_notes": string | null,"confirmation_sent_at": string | null,"created_at": string,"duration_mins": number,"end_time": string,"feedback_sent": boolean | null,"forfeited": boolean,"id": string,"location_details": string | null,"location_type": string,"notes": string | null,"offer_id": string | null,"org_id": string,"purchase_id": string | null,"reminder_24h_sent": boolean | null,"reminder_sent": boolean | null,"session_type": string,"session_type_id": string | null,"start_time": string,"status": string,"text_version": number,"text_version_at": string,"uncovered_reason": string | null,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "booked_by"?: string | null,"booking_source"?: string,"cancellation_reason"?: string | null,"cancelled_at"?: string | null,"cancelled_by"?: string | null,"client_confirmed"?: boolean | null,"client_id": string,"client_notes"?: string | null,"confirmation_sent_at"?: string | null,"created_at"?: string,"duration_mins"?: number,"end_time": string,"feedback_sent"?: boolean | null,"forfeited"?: boolean,"id"?: string,"location_details"?: string | null,"location_type"?: string,"notes"?: string | null,"offer_id"?: string | null,"org_id": string,"purchase_id"?: string | null,"reminder_24h_sent"?: boolean | null,"reminder_sent"?: boolean | null,"session_type"?: string,"session_type_id"?: string | null,"start_time": string,"status"?: string,"text_version"?: number,"text_version_at"?: string,"uncovered_reason"?: string | null,"updated_at"?: string
                  }
                  Update: {
                    "booked_by"?: string | null,"booking_source"?: string,"cancellation_reason"?: string | null,"cancelled_at"?: string | null,"cancelled_by"?: string | null,"client_confirmed"?: boolean | null,"client_id"?: string,"client_notes"?: string | null,"confirmation_sent_at"?: string | null,"created_at"?: string,"duration_mins"?: number,"end_time"?: string,"feedback_sent"?: boolean | null,"forfeited"?: boolean,"id"?: string,"location_details"?: string | null,"location_type"?: string,"notes"?: string | null,"offer_id"?: string | null,"org_id"?: string,"purchase_id"?: string | null,"reminder_24h_sent"?: boolean | null,"reminder_sent"?: boolean | null,"session_type"?: string,"session_type_id"?: string | null,"start_time"?: string,"status"?: string,"text_version"?: number,"text_version_at"?: string,"uncovered_reason"?: string | null,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "bookings_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "bookings_offer_id_fkey"
      columns: ["offer_id"]
isOneToOne: false
      referencedRelation: "offers"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "bookings_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "bookings_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "bookings_purchase_id_fkey"
      columns: ["purchase_id"]
isOneToOne: false
      referencedRelation: "client_purchases"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "bookings_session_type_id_fkey"
      columns: ["session_type_id"]
isOneToOne: false
      referencedRelation: "session_types"
      referencedColumns: ["id"]
    }
                  ]
                },"branding": {
                  Row: {
                    "display_name": string,"logo_path": string | null,"logo_url": string | null,"org_id": string,"primary_color": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "display_name": string,"logo_path"?: string | null,"logo_url"?: string | null,"org_id": string,"primary_color"?: string,"updated_at"?: string
                  }
                  Update: {
                    "display_name"?: string,"logo_path"?: string | null,"logo_url"?: string | null,"org_id"?: string,"primary_color"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "branding_org_id_fkey"
      columns: ["org_id"]
isOneToOne: true
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "branding_org_id_fkey"
      columns: ["org_id"]
isOneToOne: true
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"checkin_photos": {
                  Row: {
                    "activity_event_id": string | null,"client_id": string,"created_at": string,"id": string,"notes": string | null,"org_id": string,"photo_type": string | null,"storage_path": string,"taken_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "activity_event_id"?: string | null,"client_id": string,"created_at"?: string,"id"?: string,"notes"?: string | null,"org_id": string,"photo_type"?: string | null,"storage_path": string,"taken_at"?: string
                  }
                  Update: {
                    "activity_event_id"?: string | null,"client_id"?: string,"created_at"?: string,"id"?: string,"notes"?: string | null,"org_id"?: string,"photo_type"?: string | null,"storage_path"?: string,"taken_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "checkin_photos_activity_event_id_fkey"
      columns: ["activity_event_id"]
isOneToOne: false
      referencedRelation: "activity_events"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "checkin_photos_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "checkin_photos_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "checkin_photos_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"client_communications": {
                  Row: {
                    "client_id": string,"content": string,"created_at": string,"direction": string,"id": string,"org_id": string,"subject": string | null,"type": string,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"content": string,"created_at"?: string,"direction"?: string,"id"?: string,"org_id": string,"subject"?: string | null,"type": string,"user_id"?: string | null
                  }
                  Update: {
                    "client_id"?: string,"content"?: string,"created_at"?: string,"direction"?: string,"id"?: string,"org_id"?: string,"subject"?: string | null,"type"?: string,"user_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_communications_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "client_communications_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "client_communications_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"client_habits": {
                  Row: {
                    "client_id": string,"created_at": string,"habit_id": string,"id": string,"org_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at"?: string,"habit_id": string,"id"?: string,"org_id": string
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"habit_id"?: string,"id"?: string,"org_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_habits_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "client_habits_habit_id_fkey"
      columns: ["habit_id"]
isOneToOne: false
      referencedRelation: "habits"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "client_habits_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "client_habits_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"client_invites": {
                  Row: {
                    "client_id": string,"created_at": string,"expires_at": string,"id": string,"invite_code": string,"org_id": string,"redeemed_at": string | null,"redeemed_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at"?: string,"expires_at": string,"id"?: string,"invite_code": string,"org_id": string,"redeemed_at"?: string | null,"redeemed_by"?: string | null
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"expires_at"?: string,"id"?: string,"invite_code"?: string,"org_id"?: string,"redeemed_at"?: string | null,"redeemed_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_invites_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "client_invites_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "client_invites_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"client_measurements": {
                  Row: {
                    "client_id": string,"created_at": string,"id": string,"measured_at": string,"measurement_type": string,"notes": string | null,"org_id": string,"unit": string,"value": number
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at"?: string,"id"?: string,"measured_at"?: string,"measurement_type": string,"notes"?: string | null,"org_id": string,"unit": string,"value": number
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"id"?: string,"measured_at"?: string,"measurement_type"?: string,"notes"?: string | null,"org_id"?: string,"unit"?: string,"value"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_measurements_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "client_measurements_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "client_measurements_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"client_purchases": {
                  Row: {
                    "amount_paid_cents": number,"client_id": string,"created_at": string,"currency": string,"discount_cents": number | null,"expires_at": string | null,"id": string,"offer_id": string,"org_id": string,"payment_method": string | null,"payment_status": string,"promo_code_id": string | null,"purchased_at": string,"refunded_at": string | null,"session_duration_mins": number | null,"sessions_remaining": number | null,"sessions_total": number | null,"sessions_used": number,"stripe_checkout_session_id": string | null,"stripe_payment_intent_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "amount_paid_cents": number,"client_id": string,"created_at"?: string,"currency"?: string,"discount_cents"?: number | null,"expires_at"?: string | null,"id"?: string,"offer_id": string,"org_id": string,"payment_method"?: string | null,"payment_status"?: string,"promo_code_id"?: string | null,"purchased_at"?: string,"refunded_at"?: string | null,"session_duration_mins"?: number | null,"sessions_remaining"?: never,"sessions_total"?: number | null,"sessions_used"?: number,"stripe_checkout_session_id"?: string | null,"stripe_payment_intent_id"?: string | null
                  }
                  Update: {
                    "amount_paid_cents"?: number,"client_id"?: string,"created_at"?: string,"currency"?: string,"discount_cents"?: number | null,"expires_at"?: string | null,"id"?: string,"offer_id"?: string,"org_id"?: string,"payment_method"?: string | null,"payment_status"?: string,"promo_code_id"?: string | null,"purchased_at"?: string,"refunded_at"?: string | null,"session_duration_mins"?: number | null,"sessions_remaining"?: never,"sessions_total"?: number | null,"sessions_used"?: number,"stripe_checkout_session_id"?: string | null,"stripe_payment_intent_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_purchases_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "client_purchases_offer_id_fkey"
      columns: ["offer_id"]
isOneToOne: false
      referencedRelation: "offers"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "client_purchases_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "client_purchases_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "client_purchases_promo_code_id_fkey"
      columns: ["promo_code_id"]
isOneToOne: false
      referencedRelation: "promo_codes"
      referencedColumns: ["id"]
    }
                  ]
                },"client_risk": {
                  Row: {
                    "as_of_date": string,"client_id": string,"id": string,"org_id": string,"reasons": (string)[],"score": number,"tier": string
                  }
                  ComputedFields: never
                  Insert: {
                    "as_of_date": string,"client_id": string,"id"?: string,"org_id": string,"reasons"?: (string)[],"score": number,"tier": string
                  }
                  Update: {
                    "as_of_date"?: string,"client_id"?: string,"id"?: string,"org_id"?: string,"reasons"?: (string)[],"score"?: number,"tier"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_risk_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "client_risk_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "client_risk_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"client_waivers": {
                  Row: {
                    "client_id": string,"created_at": string,"expires_at": string | null,"id": string,"name": string,"org_id": string,"sent_at": string,"signed_at": string | null,"signed_ip": string | null,"signed_text": string | null,"signed_version": string | null,"source": string | null,"status": string,"token": string
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at"?: string,"expires_at"?: string | null,"id"?: string,"name"?: string,"org_id": string,"sent_at"?: string,"signed_at"?: string | null,"signed_ip"?: string | null,"signed_text"?: string | null,"signed_version"?: string | null,"source"?: string | null,"status"?: string,"token"?: string
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"expires_at"?: string | null,"id"?: string,"name"?: string,"org_id"?: string,"sent_at"?: string,"signed_at"?: string | null,"signed_ip"?: string | null,"signed_text"?: string | null,"signed_version"?: string | null,"source"?: string | null,"status"?: string,"token"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_waivers_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "client_waivers_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "client_waivers_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"clients": {
                  Row: {
                    "address_line1": string | null,"address_line2": string | null,"auth_user_id": string | null,"avatar_path": string | null,"city": string | null,"country": string | null,"created_at": string,"date_of_birth": string | null,"dietary_restrictions": (string)[] | null,"email": string | null,"email_opt_in": boolean | null,"emergency_contact_name": string | null,"emergency_contact_phone": string | null,"experience_level": string | null,"full_name": string,"gender": string | null,"goals": (string)[] | null,"health_conditions": (string)[] | null,"height_cm": number | null,"id": string,"injuries": (string)[] | null,"medications": (string)[] | null,"notes": string | null,"onboarding_completed_at": string | null,"onboarding_sent_at": string | null,"onboarding_token": string | null,"org_id": string,"phone": string | null,"phone_e164": string | null,"portal_token": string | null,"postcode": string | null,"preferred_time_windows": Json | null,"preferred_training_days": (string)[] | null,"referral_code": string | null,"referral_id": string | null,"sms_followup_enabled": boolean,"sms_opt_in": boolean | null,"sms_reminder_enabled": boolean,"source": string | null,"state": string | null,"status": string,"tags": (string)[],"target_weight_kg": number | null,"weight_kg": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "address_line1"?: string | null,"address_line2"?: string | null,"auth_user_id"?: string | null,"avatar_path"?: string | null,"city"?: string | null,"country"?: string | null,"created_at"?: string,"date_of_birth"?: string | null,"dietary_restrictions"?: (string)[] | null,"email"?: string | null,"email_opt_in"?: boolean | null,"emergency_contact_name"?: string | null,"emergency_contact_phone"?: string | null,"experience_level"?: string | null,"full_name": string,"gender"?: string | null,"goals"?: (string)[] | null,"health_conditions"?: (string)[] | null,"height_cm"?: number | null,"id"?: string,"injuries"?: (string)[] | null,"medications"?: (string)[] | null,"notes"?: string | null,"onboarding_completed_at"?: string | null,"onboarding_sent_at"?: string | null,"onboarding_token"?: string | null,"org_id": string,"phone"?: string | null,"phone_e164"?: string | null,"portal_token"?: string | null,"postcode"?: string | null,"preferred_time_windows"?: Json | null,"preferred_training_days"?: (string)[] | null,"referral_code"?: string | null,"referral_id"?: string | null,"sms_followup_enabled"?: boolean,"sms_opt_in"?: boolean | null,"sms_reminder_enabled"?: boolean,"source"?: string | null,"state"?: string | null,"status"?: string,"tags"?: (string)[],"target_weight_kg"?: number | null,"weight_kg"?: number | null
                  }
                  Update: {
                    "address_line1"?: string | null,"address_line2"?: string | null,"auth_user_id"?: string | null,"avatar_path"?: string | null,"city"?: string | null,"country"?: string | null,"created_at"?: string,"date_of_birth"?: string | null,"dietary_restrictions"?: (string)[] | null,"email"?: string | null,"email_opt_in"?: boolean | null,"emergency_contact_name"?: string | null,"emergency_contact_phone"?: string | null,"experience_level"?: string | null,"full_name"?: string,"gender"?: string | null,"goals"?: (string)[] | null,"health_conditions"?: (string)[] | null,"height_cm"?: number | null,"id"?: string,"injuries"?: (string)[] | null,"medications"?: (string)[] | null,"notes"?: string | null,"onboarding_completed_at"?: string | null,"onboarding_sent_at"?: string | null,"onboarding_token"?: string | null,"org_id"?: string,"phone"?: string | null,"phone_e164"?: string | null,"portal_token"?: string | null,"postcode"?: string | null,"preferred_time_windows"?: Json | null,"preferred_training_days"?: (string)[] | null,"referral_code"?: string | null,"referral_id"?: string | null,"sms_followup_enabled"?: boolean,"sms_opt_in"?: boolean | null,"sms_reminder_enabled"?: boolean,"source"?: string | null,"state"?: string | null,"status"?: string,"tags"?: (string)[],"target_weight_kg"?: number | null,"weight_kg"?: number | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "clients_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "clients_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "clients_referral_id_fkey"
      columns: ["referral_id"]
isOneToOne: false
      referencedRelation: "referrals"
      referencedColumns: ["id"]
    }
                  ]
                },"habits": {
                  Row: {
                    "created_at": string,"id": string,"is_active": boolean,"name": string,"org_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"id"?: string,"is_active"?: boolean,"name": string,"org_id": string
                  }
                  Update: {
                    "created_at"?: string,"id"?: string,"is_active"?: boolean,"name"?: string,"org_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "habits_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "habits_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"inquiries": {
                  Row: {
                    "assigned_to": string | null,"converted_client_id": string | null,"created_at": string,"email": string | null,"expected_value": number | null,"follow_up_date": string | null,"id": string,"message": string | null,"name": string,"org_id": string,"phone": string | null,"referral_code": string | null,"services_interested": (string)[] | null,"source": string,"status": Database["public"]['Enums']["inquiry_status"]
                  }
                  ComputedFields: never
                  Insert: {
                    "assigned_to"?: string | null,"converted_client_id"?: string | null,"created_at"?: string,"email"?: string | null,"expected_value"?: number | null,"follow_up_date"?: string | null,"id"?: string,"message"?: string | null,"name": string,"org_id": string,"phone"?: string | null,"referral_code"?: string | null,"services_interested"?: (string)[] | null,"source"?: string,"status"?: Database["public"]['Enums']["inquiry_status"]
                  }
                  Update: {
                    "assigned_to"?: string | null,"converted_client_id"?: string | null,"created_at"?: string,"email"?: string | null,"expected_value"?: number | null,"follow_up_date"?: string | null,"id"?: string,"message"?: string | null,"name"?: string,"org_id"?: string,"phone"?: string | null,"referral_code"?: string | null,"services_interested"?: (string)[] | null,"source"?: string,"status"?: Database["public"]['Enums']["inquiry_status"]
                  }
                  Relationships: [
                    {
      foreignKeyName: "inquiries_converted_client_id_fkey"
      columns: ["converted_client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "inquiries_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "inquiries_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"measurement_types": {
                  Row: {
                    "category": string,"id": string,"name": string,"sort_order": number | null,"unit": string
                  }
                  ComputedFields: never
                  Insert: {
                    "category": string,"id"?: string,"name": string,"sort_order"?: number | null,"unit": string
                  }
                  Update: {
                    "category"?: string,"id"?: string,"name"?: string,"sort_order"?: number | null,"unit"?: string
                  }
                  Relationships: [
                    
                  ]
                },"message_threads": {
                  Row: {
                    "client_id": string,"created_at": string,"id": string,"org_id": string,"trainer_last_read_at": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at"?: string,"id"?: string,"org_id": string,"trainer_last_read_at"?: string | null
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"id"?: string,"org_id"?: string,"trainer_last_read_at"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "message_threads_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "message_threads_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "message_threads_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"messages": {
                  Row: {
                    "body": string,"created_at": string,"id": string,"org_id": string,"sender_type": string,"sender_user_id": string | null,"thread_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "body": string,"created_at"?: string,"id"?: string,"org_id": string,"sender_type": string,"sender_user_id"?: string | null,"thread_id": string
                  }
                  Update: {
                    "body"?: string,"created_at"?: string,"id"?: string,"org_id"?: string,"sender_type"?: string,"sender_user_id"?: string | null,"thread_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "messages_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "messages_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "messages_thread_id_fkey"
      columns: ["thread_id"]
isOneToOne: false
      referencedRelation: "message_threads"
      referencedColumns: ["id"]
    }
                  ]
                },"money_events": {
                  Row: {
                    "amount_cents": number,"client_id": string | null,"created_at": string,"currency": string,"event_date": string,"failure_reason": string | null,"id": string,"is_estimate": boolean,"next_retry_at": string | null,"notes": string | null,"org_id": string,"payment_status": string | null,"payout_id": string | null,"reference_id": string | null,"retry_count": number | null,"source": string,"stripe_invoice_id": string | null,"stripe_payment_intent_id": string | null,"stripe_payout_id": string | null,"tax_cat": Database["public"]['Enums']["tax_category"],"tax_cents": number,"type": Database["public"]['Enums']["money_event_type"]
                  }
                  ComputedFields: never
                  Insert: {
                    "amount_cents": number,"client_id"?: string | null,"created_at"?: string,"currency"?: string,"event_date": string,"failure_reason"?: string | null,"id"?: string,"is_estimate"?: boolean,"next_retry_at"?: string | null,"notes"?: string | null,"org_id": string,"payment_status"?: string | null,"payout_id"?: string | null,"reference_id"?: string | null,"retry_count"?: number | null,"source": string,"stripe_invoice_id"?: string | null,"stripe_payment_intent_id"?: string | null,"stripe_payout_id"?: string | null,"tax_cat"?: Database["public"]['Enums']["tax_category"],"tax_cents"?: number,"type": Database["public"]['Enums']["money_event_type"]
                  }
                  Update: {
                    "amount_cents"?: number,"client_id"?: string | null,"created_at"?: string,"currency"?: string,"event_date"?: string,"failure_reason"?: string | null,"id"?: string,"is_estimate"?: boolean,"next_retry_at"?: string | null,"notes"?: string | null,"org_id"?: string,"payment_status"?: string | null,"payout_id"?: string | null,"reference_id"?: string | null,"retry_count"?: number | null,"source"?: string,"stripe_invoice_id"?: string | null,"stripe_payment_intent_id"?: string | null,"stripe_payout_id"?: string | null,"tax_cat"?: Database["public"]['Enums']["tax_category"],"tax_cents"?: number,"type"?: Database["public"]['Enums']["money_event_type"]
                  }
                  Relationships: [
                    {
      foreignKeyName: "money_events_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "money_events_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "money_events_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "money_events_payout_id_fkey"
      columns: ["payout_id"]
isOneToOne: false
      referencedRelation: "org_payouts"
      referencedColumns: ["id"]
    }
                  ]
                },"offers": {
                  Row: {
                    "billing_period": string | null,"bonus_sessions": number | null,"created_at": string,"currency": string,"description": string | null,"duration_minutes": number | null,"id": string,"included_items": (string)[] | null,"is_active": boolean | null,"is_featured": boolean | null,"name": string,"offer_type": string,"org_id": string,"pack_validity_days": number | null,"price_cents": number,"session_count": number | null,"session_duration_mins": number | null,"sessions_included": number | null,"sort_order": number | null,"stripe_price_id": string | null,"stripe_product_id": string | null,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "billing_period"?: string | null,"bonus_sessions"?: number | null,"created_at"?: string,"currency"?: string,"description"?: string | null,"duration_minutes"?: number | null,"id"?: string,"included_items"?: (string)[] | null,"is_active"?: boolean | null,"is_featured"?: boolean | null,"name": string,"offer_type": string,"org_id": string,"pack_validity_days"?: number | null,"price_cents": number,"session_count"?: number | null,"session_duration_mins"?: number | null,"sessions_included"?: number | null,"sort_order"?: number | null,"stripe_price_id"?: string | null,"stripe_product_id"?: string | null,"updated_at"?: string
                  }
                  Update: {
                    "billing_period"?: string | null,"bonus_sessions"?: number | null,"created_at"?: string,"currency"?: string,"description"?: string | null,"duration_minutes"?: number | null,"id"?: string,"included_items"?: (string)[] | null,"is_active"?: boolean | null,"is_featured"?: boolean | null,"name"?: string,"offer_type"?: string,"org_id"?: string,"pack_validity_days"?: number | null,"price_cents"?: number,"session_count"?: number | null,"session_duration_mins"?: number | null,"sessions_included"?: number | null,"sort_order"?: number | null,"stripe_price_id"?: string | null,"stripe_product_id"?: string | null,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "offers_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "offers_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"org_members": {
                  Row: {
                    "created_at": string,"id": string,"org_id": string,"role": Database["public"]['Enums']["org_role"],"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"id"?: string,"org_id": string,"role": Database["public"]['Enums']["org_role"],"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"id"?: string,"org_id"?: string,"role"?: Database["public"]['Enums']["org_role"],"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "org_members_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "org_members_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"org_payout_settings": {
                  Row: {
                    "bank_account_name": string | null,"bank_account_number": string | null,"bank_bsb": string | null,"created_at": string,"id": string,"minimum_payout_cents": number,"org_id": string,"payout_frequency": string,"payout_method": string,"paypal_email": string | null,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "bank_account_name"?: string | null,"bank_account_number"?: string | null,"bank_bsb"?: string | null,"created_at"?: string,"id"?: string,"minimum_payout_cents"?: number,"org_id": string,"payout_frequency"?: string,"payout_method"?: string,"paypal_email"?: string | null,"updated_at"?: string
                  }
                  Update: {
                    "bank_account_name"?: string | null,"bank_account_number"?: string | null,"bank_bsb"?: string | null,"created_at"?: string,"id"?: string,"minimum_payout_cents"?: number,"org_id"?: string,"payout_frequency"?: string,"payout_method"?: string,"paypal_email"?: string | null,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "org_payout_settings_org_id_fkey"
      columns: ["org_id"]
isOneToOne: true
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "org_payout_settings_org_id_fkey"
      columns: ["org_id"]
isOneToOne: true
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"org_payouts": {
                  Row: {
                    "commission_cents": number,"created_at": string,"currency": string,"gross_amount_cents": number,"id": string,"net_amount_cents": number,"notes": string | null,"org_id": string,"paid_at": string | null,"payout_method": string | null,"payout_reference": string | null,"period_end": string,"period_start": string,"status": string
                  }
                  ComputedFields: never
                  Insert: {
                    "commission_cents": number,"created_at"?: string,"currency"?: string,"gross_amount_cents": number,"id"?: string,"net_amount_cents": number,"notes"?: string | null,"org_id": string,"paid_at"?: string | null,"payout_method"?: string | null,"payout_reference"?: string | null,"period_end": string,"period_start": string,"status"?: string
                  }
                  Update: {
                    "commission_cents"?: number,"created_at"?: string,"currency"?: string,"gross_amount_cents"?: number,"id"?: string,"net_amount_cents"?: number,"notes"?: string | null,"org_id"?: string,"paid_at"?: string | null,"payout_method"?: string | null,"payout_reference"?: string | null,"period_end"?: string,"period_start"?: string,"status"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "org_payouts_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "org_payouts_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"orgs": {
                  Row: {
                    "automation_hour": number,"commission_rate": number,"country_code": string,"created_at": string,"created_by": string | null,"id": string,"name": string,"onboarding_completed": boolean | null,"proforma_disclaimer": string | null,"slug": string,"timezone": string,"waiver_template": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "automation_hour"?: number,"commission_rate"?: number,"country_code"?: string,"created_at"?: string,"created_by"?: string | null,"id"?: string,"name": string,"onboarding_completed"?: boolean | null,"proforma_disclaimer"?: string | null,"slug"?: string,"timezone"?: string,"waiver_template"?: string | null
                  }
                  Update: {
                    "automation_hour"?: number,"commission_rate"?: number,"country_code"?: string,"created_at"?: string,"created_by"?: string | null,"id"?: string,"name"?: string,"onboarding_completed"?: boolean | null,"proforma_disclaimer"?: string | null,"slug"?: string,"timezone"?: string,"waiver_template"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"platform_admins": {
                  Row: {
                    "created_at": string,"email": string,"id": string,"role": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"email": string,"id"?: string,"role"?: string,"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"email"?: string,"id"?: string,"role"?: string,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"products": {
                  Row: {
                    "category": string,"cost_cents": number | null,"created_at": string,"description": string | null,"id": string,"image_url": string | null,"is_active": boolean,"name": string,"org_id": string,"price_cents": number,"sku": string | null,"stock_quantity": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "category": string,"cost_cents"?: number | null,"created_at"?: string,"description"?: string | null,"id"?: string,"image_url"?: string | null,"is_active"?: boolean,"name": string,"org_id": string,"price_cents": number,"sku"?: string | null,"stock_quantity"?: number | null
                  }
                  Update: {
                    "category"?: string,"cost_cents"?: number | null,"created_at"?: string,"description"?: string | null,"id"?: string,"image_url"?: string | null,"is_active"?: boolean,"name"?: string,"org_id"?: string,"price_cents"?: number,"sku"?: string | null,"stock_quantity"?: number | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "products_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "products_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"promo_codes": {
                  Row: {
                    "code": string,"created_at": string,"discount_type": string,"discount_value": number,"id": string,"is_active": boolean,"max_uses": number | null,"org_id": string,"times_used": number,"updated_at": string,"valid_from": string | null,"valid_until": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "code": string,"created_at"?: string,"discount_type": string,"discount_value": number,"id"?: string,"is_active"?: boolean,"max_uses"?: number | null,"org_id": string,"times_used"?: number,"updated_at"?: string,"valid_from"?: string | null,"valid_until"?: string | null
                  }
                  Update: {
                    "code"?: string,"created_at"?: string,"discount_type"?: string,"discount_value"?: number,"id"?: string,"is_active"?: boolean,"max_uses"?: number | null,"org_id"?: string,"times_used"?: number,"updated_at"?: string,"valid_from"?: string | null,"valid_until"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "promo_codes_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "promo_codes_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"push_tokens": {
                  Row: {
                    "client_id": string,"created_at": string,"device_id": string | null,"expo_token": string,"id": string,"org_id": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at"?: string,"device_id"?: string | null,"expo_token": string,"id"?: string,"org_id": string,"updated_at"?: string
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"device_id"?: string | null,"expo_token"?: string,"id"?: string,"org_id"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "push_tokens_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "push_tokens_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "push_tokens_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"referral_links": {
                  Row: {
                    "clicks": number | null,"code": string,"conversions": number | null,"created_at": string,"description": string | null,"expires_at": string | null,"id": string,"is_active": boolean | null,"name": string,"org_id": string,"referrer_reward_type": string | null,"referrer_reward_value": number | null,"reward_type": string | null,"reward_value": number | null,"signups": number | null,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "clicks"?: number | null,"code": string,"conversions"?: number | null,"created_at"?: string,"description"?: string | null,"expires_at"?: string | null,"id"?: string,"is_active"?: boolean | null,"name": string,"org_id": string,"referrer_reward_type"?: string | null,"referrer_reward_value"?: number | null,"reward_type"?: string | null,"reward_value"?: number | null,"signups"?: number | null,"updated_at"?: string
                  }
                  Update: {
                    "clicks"?: number | null,"code"?: string,"conversions"?: number | null,"created_at"?: string,"description"?: string | null,"expires_at"?: string | null,"id"?: string,"is_active"?: boolean | null,"name"?: string,"org_id"?: string,"referrer_reward_type"?: string | null,"referrer_reward_value"?: number | null,"reward_type"?: string | null,"reward_value"?: number | null,"signups"?: number | null,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "referral_links_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "referral_links_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"referrals": {
                  Row: {
                    "clicked_at": string,"converted_at": string | null,"created_at": string,"id": string,"inquiry_id": string | null,"org_id": string,"referral_link_id": string,"referred_client_id": string | null,"referred_email": string,"referred_name": string | null,"referred_reward_cents": number | null,"referred_rewarded": boolean | null,"referrer_client_id": string | null,"referrer_reward_cents": number | null,"referrer_rewarded": boolean | null,"rewarded_at": string | null,"signed_up_at": string | null,"status": string
                  }
                  ComputedFields: never
                  Insert: {
                    "clicked_at"?: string,"converted_at"?: string | null,"created_at"?: string,"id"?: string,"inquiry_id"?: string | null,"org_id": string,"referral_link_id": string,"referred_client_id"?: string | null,"referred_email": string,"referred_name"?: string | null,"referred_reward_cents"?: number | null,"referred_rewarded"?: boolean | null,"referrer_client_id"?: string | null,"referrer_reward_cents"?: number | null,"referrer_rewarded"?: boolean | null,"rewarded_at"?: string | null,"signed_up_at"?: string | null,"status"?: string
                  }
                  Update: {
                    "clicked_at"?: string,"converted_at"?: string | null,"created_at"?: string,"id"?: string,"inquiry_id"?: string | null,"org_id"?: string,"referral_link_id"?: string,"referred_client_id"?: string | null,"referred_email"?: string,"referred_name"?: string | null,"referred_reward_cents"?: number | null,"referred_rewarded"?: boolean | null,"referrer_client_id"?: string | null,"referrer_reward_cents"?: number | null,"referrer_rewarded"?: boolean | null,"rewarded_at"?: string | null,"signed_up_at"?: string | null,"status"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "referrals_inquiry_id_fkey"
      columns: ["inquiry_id"]
isOneToOne: false
      referencedRelation: "inquiries"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "referrals_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "referrals_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "referrals_referral_link_id_fkey"
      columns: ["referral_link_id"]
isOneToOne: false
      referencedRelation: "referral_links"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "referrals_referred_client_id_fkey"
      columns: ["referred_client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "referrals_referrer_client_id_fkey"
      columns: ["referrer_client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    }
                  ]
                },"session_ledger": {
                  Row: {
                    "actor_id": string | null,"booking_id": string | null,"booking_seq": number | null,"created_at": string,"delta": number,"entry_type": string,"id": string,"org_id": string,"purchase_id": string,"reason": string | null,"sessions_used_after": number,"total_delta": number
                  }
                  ComputedFields: never
                  Insert: {
                    "actor_id"?: string | null,"booking_id"?: string | null,"booking_seq"?: number | null,"created_at"?: string,"delta": number,"entry_type": string,"id"?: string,"org_id": string,"purchase_id": string,"reason"?: string | null,"sessions_used_after": number,"total_delta"?: number
                  }
                  Update: {
                    "actor_id"?: string | null,"booking_id"?: string | null,"booking_seq"?: number | null,"created_at"?: string,"delta"?: number,"entry_type"?: string,"id"?: string,"org_id"?: string,"purchase_id"?: string,"reason"?: string | null,"sessions_used_after"?: number,"total_delta"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_ledger_booking_id_fkey"
      columns: ["booking_id"]
isOneToOne: false
      referencedRelation: "bookings"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "session_ledger_purchase_id_fkey"
      columns: ["purchase_id"]
isOneToOne: false
      referencedRelation: "client_purchases"
      referencedColumns: ["id"]
    }
                  ]
                },"session_types": {
                  Row: {
                    "allow_online_booking": boolean | null,"buffer_after_mins": number | null,"buffer_before_mins": number | null,"color": string | null,"created_at": string | null,"description": string | null,"duration_mins": number,"id": string,"is_active": boolean | null,"max_per_day": number | null,"name": string,"org_id": string,"price_cents": number | null,"slug": string,"sort_order": number | null,"updated_at": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "allow_online_booking"?: boolean | null,"buffer_after_mins"?: number | null,"buffer_before_mins"?: number | null,"color"?: string | null,"created_at"?: string | null,"description"?: string | null,"duration_mins"?: number,"id"?: string,"is_active"?: boolean | null,"max_per_day"?: number | null,"name": string,"org_id": string,"price_cents"?: number | null,"slug": string,"sort_order"?: number | null,"updated_at"?: string | null
                  }
                  Update: {
                    "allow_online_booking"?: boolean | null,"buffer_after_mins"?: number | null,"buffer_before_mins"?: number | null,"color"?: string | null,"created_at"?: string | null,"description"?: string | null,"duration_mins"?: number,"id"?: string,"is_active"?: boolean | null,"max_per_day"?: number | null,"name"?: string,"org_id"?: string,"price_cents"?: number | null,"slug"?: string,"sort_order"?: number | null,"updated_at"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_types_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "session_types_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"sms_attempts": {
                  Row: {
                    "attempt_number": number,"created_at": string,"error_code": string | null,"error_message": string | null,"id": string,"message_id": string,"provider": string,"provider_message_id": string | null,"request_payload": NonNullable<Json>,"response_payload": Json | null,"response_status": number | null,"status": string
                  }
                  ComputedFields: never
                  Insert: {
                    "attempt_number": number,"created_at"?: string,"error_code"?: string | null,"error_message"?: string | null,"id"?: string,"message_id": string,"provider"?: string,"provider_message_id"?: string | null,"request_payload"?: NonNullable<Json>,"response_payload"?: Json | null,"response_status"?: number | null,"status": string
                  }
                  Update: {
                    "attempt_number"?: number,"created_at"?: string,"error_code"?: string | null,"error_message"?: string | null,"id"?: string,"message_id"?: string,"provider"?: string,"provider_message_id"?: string | null,"request_payload"?: NonNullable<Json>,"response_payload"?: Json | null,"response_status"?: number | null,"status"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "sms_attempts_message_id_fkey"
      columns: ["message_id"]
isOneToOne: false
      referencedRelation: "sms_messages"
      referencedColumns: ["id"]
    }
                  ]
                },"sms_events": {
                  Row: {
                    "dedupe_key": string,"error_code": string | null,"error_message": string | null,"event_payload": NonNullable<Json>,"event_status": string | null,"event_type": string,"id": string,"message_id": string | null,"org_id": string | null,"processed_at": string | null,"provider": string,"provider_message_id": string,"received_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "dedupe_key": string,"error_code"?: string | null,"error_message"?: string | null,"event_payload"?: NonNullable<Json>,"event_status"?: string | null,"event_type": string,"id"?: string,"message_id"?: string | null,"org_id"?: string | null,"processed_at"?: string | null,"provider"?: string,"provider_message_id": string,"received_at"?: string
                  }
                  Update: {
                    "dedupe_key"?: string,"error_code"?: string | null,"error_message"?: string | null,"event_payload"?: NonNullable<Json>,"event_status"?: string | null,"event_type"?: string,"id"?: string,"message_id"?: string | null,"org_id"?: string | null,"processed_at"?: string | null,"provider"?: string,"provider_message_id"?: string,"received_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "sms_events_message_id_fkey"
      columns: ["message_id"]
isOneToOne: false
      referencedRelation: "sms_messages"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "sms_events_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "sms_events_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"sms_messages": {
                  Row: {
                    "account_sid": string | null,"attempted_at": string | null,"attempts": number,"body": string,"booking_version": number | null,"claimed_at": string | null,"client_id": string | null,"created_at": string,"delivered_at": string | null,"error_code": string | null,"error_message": string | null,"expires_at": string | null,"failed_at": string | null,"from_phone": string,"id": string,"idempotency_key": string | null,"locked_until": string | null,"metadata": Json | null,"org_id": string,"provider_message_id": string | null,"reconcile_at": string | null,"related_entity_id": string | null,"related_entity_type": string | null,"schedule_id": string | null,"scheduled_for": string,"segments": number | null,"sent_at": string | null,"status": string,"template_id": string | null,"template_key": string | null,"to_phone": string,"updated_at": string,"variables": Json | null
                  }
                  ComputedFields: never
                  Insert: {
                    "account_sid"?: string | null,"attempted_at"?: string | null,"attempts"?: number,"body": string,"booking_version"?: number | null,"claimed_at"?: string | null,"client_id"?: string | null,"created_at"?: string,"delivered_at"?: string | null,"error_code"?: string | null,"error_message"?: string | null,"expires_at"?: string | null,"failed_at"?: string | null,"from_phone": string,"id"?: string,"idempotency_key"?: string | null,"locked_until"?: string | null,"metadata"?: Json | null,"org_id": string,"provider_message_id"?: string | null,"reconcile_at"?: string | null,"related_entity_id"?: string | null,"related_entity_type"?: string | null,"schedule_id"?: string | null,"scheduled_for"?: string,"segments"?: number | null,"sent_at"?: string | null,"status"?: string,"template_id"?: string | null,"template_key"?: string | null,"to_phone": string,"updated_at"?: string,"variables"?: Json | null
                  }
                  Update: {
                    "account_sid"?: string | null,"attempted_at"?: string | null,"attempts"?: number,"body"?: string,"booking_version"?: number | null,"claimed_at"?: string | null,"client_id"?: string | null,"created_at"?: string,"delivered_at"?: string | null,"error_code"?: string | null,"error_message"?: string | null,"expires_at"?: string | null,"failed_at"?: string | null,"from_phone"?: string,"id"?: string,"idempotency_key"?: string | null,"locked_until"?: string | null,"metadata"?: Json | null,"org_id"?: string,"provider_message_id"?: string | null,"reconcile_at"?: string | null,"related_entity_id"?: string | null,"related_entity_type"?: string | null,"schedule_id"?: string | null,"scheduled_for"?: string,"segments"?: number | null,"sent_at"?: string | null,"status"?: string,"template_id"?: string | null,"template_key"?: string | null,"to_phone"?: string,"updated_at"?: string,"variables"?: Json | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "sms_messages_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "sms_messages_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "sms_messages_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "sms_messages_template_id_fkey"
      columns: ["template_id"]
isOneToOne: false
      referencedRelation: "sms_templates"
      referencedColumns: ["id"]
    }
                  ]
                },"sms_schedules": {
                  Row: {
                    "body": string,"created_at": string,"enabled": boolean,"id": string,"label": string,"mins_offset": number,"org_id": string,"sort_order": number,"timing_since": string,"type": string,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "body": string,"created_at"?: string,"enabled"?: boolean,"id"?: string,"label": string,"mins_offset"?: number,"org_id": string,"sort_order"?: number,"timing_since"?: string,"type": string,"updated_at"?: string
                  }
                  Update: {
                    "body"?: string,"created_at"?: string,"enabled"?: boolean,"id"?: string,"label"?: string,"mins_offset"?: number,"org_id"?: string,"sort_order"?: number,"timing_since"?: string,"type"?: string,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "sms_schedules_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "sms_schedules_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"sms_settings": {
                  Row: {
                    "enabled": boolean,"feedback_hours_after": number | null,"feedback_mins_after": number | null,"max_sms_per_client_per_day": number | null,"max_sms_per_hour": number | null,"org_id": string,"quiet_hours_end": number | null,"quiet_hours_start": number | null,"reminder_hours_before": number | null,"reminder_mins_before": number | null,"send_booking_confirmations": boolean,"send_feedback_requests": boolean,"send_session_reminders": boolean,"timezone": string,"twilio_account_sid": string | null,"twilio_messaging_service_sid": string | null,"twilio_phone_number": string | null,"updated_at": string,"urgent_kinds": (string)[]
                  }
                  ComputedFields: never
                  Insert: {
                    "enabled"?: boolean,"feedback_hours_after"?: number | null,"feedback_mins_after"?: number | null,"max_sms_per_client_per_day"?: number | null,"max_sms_per_hour"?: number | null,"org_id": string,"quiet_hours_end"?: number | null,"quiet_hours_start"?: number | null,"reminder_hours_before"?: number | null,"reminder_mins_before"?: number | null,"send_booking_confirmations"?: boolean,"send_feedback_requests"?: boolean,"send_session_reminders"?: boolean,"timezone"?: string,"twilio_account_sid"?: string | null,"twilio_messaging_service_sid"?: string | null,"twilio_phone_number"?: string | null,"updated_at"?: string,"urgent_kinds"?: (string)[]
                  }
                  Update: {
                    "enabled"?: boolean,"feedback_hours_after"?: number | null,"feedback_mins_after"?: number | null,"max_sms_per_client_per_day"?: number | null,"max_sms_per_hour"?: number | null,"org_id"?: string,"quiet_hours_end"?: number | null,"quiet_hours_start"?: number | null,"reminder_hours_before"?: number | null,"reminder_mins_before"?: number | null,"send_booking_confirmations"?: boolean,"send_feedback_requests"?: boolean,"send_session_reminders"?: boolean,"timezone"?: string,"twilio_account_sid"?: string | null,"twilio_messaging_service_sid"?: string | null,"twilio_phone_number"?: string | null,"updated_at"?: string,"urgent_kinds"?: (string)[]
                  }
                  Relationships: [
                    {
      foreignKeyName: "sms_settings_org_id_fkey"
      columns: ["org_id"]
isOneToOne: true
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "sms_settings_org_id_fkey"
      columns: ["org_id"]
isOneToOne: true
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "sms_settings_timezone_is_the_orgs"
      columns: ["org_id","timezone"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id","timezone"]
    }
                  ]
                },"sms_suppression": {
                  Row: {
                    "client_id": string | null,"created_at": string,"id": string,"notes": string | null,"org_id": string,"phone": string,"reason": string,"source": string
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id"?: string | null,"created_at"?: string,"id"?: string,"notes"?: string | null,"org_id": string,"phone": string,"reason": string,"source"?: string
                  }
                  Update: {
                    "client_id"?: string | null,"created_at"?: string,"id"?: string,"notes"?: string | null,"org_id"?: string,"phone"?: string,"reason"?: string,"source"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "sms_suppression_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "sms_suppression_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "sms_suppression_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"sms_templates": {
                  Row: {
                    "body": string,"created_at": string,"description": string | null,"id": string,"is_active": boolean,"name": string,"org_id": string,"template_key": string,"updated_at": string,"variables_schema": NonNullable<Json>,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "body": string,"created_at"?: string,"description"?: string | null,"id"?: string,"is_active"?: boolean,"name": string,"org_id": string,"template_key": string,"updated_at"?: string,"variables_schema"?: NonNullable<Json>,"version"?: number
                  }
                  Update: {
                    "body"?: string,"created_at"?: string,"description"?: string | null,"id"?: string,"is_active"?: boolean,"name"?: string,"org_id"?: string,"template_key"?: string,"updated_at"?: string,"variables_schema"?: NonNullable<Json>,"version"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "sms_templates_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "sms_templates_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"stripe_accounts": {
                  Row: {
                    "charges_enabled": boolean,"details_submitted": boolean,"disconnected_at": string | null,"org_id": string,"payouts_enabled": boolean,"stripe_account_id": string,"stripe_updated_at": string | null,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "charges_enabled"?: boolean,"details_submitted"?: boolean,"disconnected_at"?: string | null,"org_id": string,"payouts_enabled"?: boolean,"stripe_account_id": string,"stripe_updated_at"?: string | null,"updated_at"?: string
                  }
                  Update: {
                    "charges_enabled"?: boolean,"details_submitted"?: boolean,"disconnected_at"?: string | null,"org_id"?: string,"payouts_enabled"?: boolean,"stripe_account_id"?: string,"stripe_updated_at"?: string | null,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "stripe_accounts_org_id_fkey"
      columns: ["org_id"]
isOneToOne: true
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "stripe_accounts_org_id_fkey"
      columns: ["org_id"]
isOneToOne: true
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"subscriptions": {
                  Row: {
                    "client_id": string,"id": string,"manage_url": string | null,"offer_id": string | null,"org_id": string,"price_cents": number | null,"status": string,"stripe_customer_id": string | null,"stripe_subscription_id": string | null,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"id"?: string,"manage_url"?: string | null,"offer_id"?: string | null,"org_id": string,"price_cents"?: number | null,"status"?: string,"stripe_customer_id"?: string | null,"stripe_subscription_id"?: string | null,"updated_at"?: string
                  }
                  Update: {
                    "client_id"?: string,"id"?: string,"manage_url"?: string | null,"offer_id"?: string | null,"org_id"?: string,"price_cents"?: number | null,"status"?: string,"stripe_customer_id"?: string | null,"stripe_subscription_id"?: string | null,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "subscriptions_client_id_fkey"
      columns: ["client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "subscriptions_offer_id_fkey"
      columns: ["offer_id"]
isOneToOne: false
      referencedRelation: "offers"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "subscriptions_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "subscriptions_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                }
          }
          Views: {
            "finance_monthly": {
                  Row: {
                    "cash_in_cents": number | null,"cash_out_cents": number | null,"currency": string,"fees_cents": number | null,"net_cents": number | null,"org_id": string,"payouts_cents": number | null,"period": string | null,"platform_fees_cents": number | null,"refunds_cents": number | null
                  }
                  ComputedFields: never
                  Relationships: [
                    {
      foreignKeyName: "money_events_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "org_earnings"
      referencedColumns: ["org_id"]
    },{
      foreignKeyName: "money_events_org_id_fkey"
      columns: ["org_id"]
isOneToOne: false
      referencedRelation: "orgs"
      referencedColumns: ["id"]
    }
                  ]
                },"org_earnings": {
                  Row: {
                    "commission_cents": number | null,"currency": string | null,"gross_earnings_cents": number | null,"net_earnings_cents": number | null,"org_id": string,"org_name": string,"paid_out_cents": number | null,"pending_payout_cents": number | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                }
          }
          Functions: {
            "admin_org_members":
{ Args: { "p_org_id": string }; Returns: {
              "created_at": string,"email": string,"id": string,"role": Database["public"]['Enums']["org_role"],"user_id": string
            }[]
                           },
"admin_orgs":
{ Args: Record<PropertyKey, never>; Returns: {
              "clients_count": number,"commission_rate": number,"created_at": string,"id": string,"name": string,"owner_email": string,"slug": string,"subscriptions_count": number
            }[]
                           },
"book_my_session":
{ Args: { "p_notes"?: string,"p_offer_id"?: string,"p_purchase_id"?: string,"p_start": string }; Returns: Json
                           },
"bookable_sessions_remaining":
{ Args: { "p_purchase_id": string }; Returns: number
                           },
"booking_page":
{ Args: { "p_slug": string }; Returns: Json
                           },
"booking_page_slots":
{ Args: { "p_from": string,"p_offer_id"?: string,"p_slug": string,"p_to": string }; Returns: {
              "slot_end": string,"slot_start": string
            }[]
                           },
"calendar_range":
{ Args: { "p_anchor": string,"p_timezone": string,"p_view": string,"p_week_start"?: number }; Returns: {
              "range_end": string,"range_start": string
            }[]
                           },
"cancel_my_booking":
{ Args: { "p_booking_id": string }; Returns: Json
                           },
"capture_inquiry":
{ Args: { "p_email"?: string,"p_message"?: string,"p_name": string,"p_org_slug": string,"p_phone"?: string,"p_source"?: string }; Returns: Json
                           },
"client_statement":
{ Args: { "p_client_id": string,"p_from"?: string,"p_to"?: string }; Returns: {
              "balance": number,"booking_id": string,"entry_at": string,"kind": string,"pack_name": string,"purchase_id": string,"reason": string,"session_start": string,"sessions": number
            }[]
                           },
"cover_booking":
{ Args: { "p_booking_id": string,"p_purchase_id": string }; Returns: undefined
                           },
"create_default_session_types":
{ Args: { "p_org_id": string }; Returns: undefined
                           },
"create_org":
{ Args: { "p_name": string,"p_timezone"?: string }; Returns: {
              "automation_hour": number,
"commission_rate": number,
"country_code": string,
"created_at": string,
"created_by": string | null,
"id": string,
"name": string,
"onboarding_completed": boolean | null,
"proforma_disclaimer": string | null,
"slug": string,
"timezone": string,
"waiver_template": string | null
            }
                          SetofOptions: {
        from: "*"
        to: "orgs"
        isOneToOne: true
        isSetofReturn: false
      } },
"discard_webhook_event":
{ Args: { "p_id": string }; Returns: string
                           },
"explain_sms":
{ Args: { "p_message_id": string }; Returns: string
                           },
"finance_export":
{ Args: { "p_from"?: string,"p_org_id": string,"p_to"?: string }; Returns: {
              "amount": number,"client_name": string,"currency": string,"event_at": string,"event_date": string,"notes": string,"payment_status": string,"reference_id": string,"source": string,"tax": number,"tax_category": string,"type": string
            }[]
                           },
"forget_twilio_account":
{ Args: { "p_org_id": string }; Returns: boolean
                           },
"generate_referral_code":
{ Args: { "p_length"?: number,"p_org_id": string }; Returns: string
                           },
"insert_sms_direct":
{ Args: { "p_body": string,"p_client_id": string,"p_idempotency_key"?: string,"p_org_id": string,"p_related_entity_id"?: string,"p_related_entity_type"?: string,"p_scheduled_for"?: string }; Returns: string
                           },
"insert_sms_from_service":
{ Args: { "p_client_id": string,"p_idempotency_key"?: string,"p_org_id": string,"p_related_entity_id"?: string,"p_related_entity_type"?: string,"p_scheduled_for"?: string,"p_template_key": string,"p_variables"?: Json }; Returns: string
                           },
"invite_page":
{ Args: { "p_code": string }; Returns: Json
                           },
"is_org_member":
{ Args: { "_org": string }; Returns: boolean
                           },
"is_phone_suppressed":
{ Args: { "p_org_id": string,"p_phone": string }; Returns: boolean
                           },
"is_platform_admin":
{ Args: Record<PropertyKey, never>; Returns: boolean
                           },
"is_slot_available":
{ Args: { "p_end_time": string,"p_exclude_booking_id"?: string,"p_org_id": string,"p_start_time": string }; Returns: boolean
                           },
"my_bookings":
{ Args: { "p_from"?: string }; Returns: {
              "client_confirmed": boolean,"duration_mins": number,"end_time": string,"id": string,"location": string,"offer_name": string,"session_type": string,"start_time": string,"status": string
            }[]
                           },
"my_client":
{ Args: Record<PropertyKey, never>; Returns: {
              "display_name": string,"email": string,"full_name": string,"id": string,"logo_url": string,"manage_url": string,"org_id": string,"org_name": string,"primary_color": string,"subscription_status": string,"weight_kg": number
            }[]
                           },
"my_offers":
{ Args: Record<PropertyKey, never>; Returns: {
              "currency": string,"description": string,"id": string,"name": string,"price_cents": number,"session_duration_mins": number
            }[]
                           },
"my_packages":
{ Args: Record<PropertyKey, never>; Returns: {
              "expires_at": string,"id": string,"name": string,"sessions_bookable": number,"sessions_remaining": number,"sessions_total": number,"sessions_used": number
            }[]
                           },
"my_slots":
{ Args: { "p_from": string,"p_offer_id"?: string,"p_purchase_id"?: string,"p_to": string }; Returns: {
              "slot_end": string,"slot_start": string
            }[]
                           },
"onboarding_form":
{ Args: { "p_token": string }; Returns: Json
                           },
"org_role":
{ Args: { "_org": string }; Returns: Database["public"]['Enums']["org_role"]
                           },
"portal_book":
{ Args: { "p_purchase_id"?: string,"p_start": string,"p_token": string }; Returns: Json
                           },
"portal_cancel":
{ Args: { "p_booking_id": string,"p_token": string }; Returns: Json
                           },
"portal_page":
{ Args: { "p_token": string }; Returns: Json
                           },
"portal_slots":
{ Args: { "p_from": string,"p_purchase_id"?: string,"p_to": string,"p_token": string }; Returns: {
              "slot_end": string,"slot_start": string
            }[]
                           },
"process_referral_signup":
{ Args: { "p_code": string,"p_email": string,"p_name"?: string }; Returns: string
                           },
"queue_pending_sms":
{ Args: Record<PropertyKey, never>; Returns: number
                           },
"redeem_invite":
{ Args: { "p_code": string }; Returns: {
              "client_id": string,"org_id": string
            }[]
                           },
"referral_page":
{ Args: { "p_code": string }; Returns: Json
                           },
"release_session":
{ Args: { "p_booking_id"?: string,"p_purchase_id": string }; Returns: number
                           },
"render_sms_template":
{ Args: { "p_template_body": string,"p_variables": Json }; Returns: string
                           },
"replay_webhook_event":
{ Args: { "p_id": string }; Returns: string
                           },
"request_session":
{ Args: { "p_email": string,"p_name": string,"p_notes"?: string,"p_offer_id": string,"p_phone"?: string,"p_slug": string,"p_start": string }; Returns: Json
                           },
"retry_automation_run":
{ Args: { "p_run_id": string }; Returns: string
                           },
"send_portal_link":
{ Args: { "p_client_id": string,"p_portal_url": string,"p_renew"?: boolean }; Returns: string
                           },
"sign_waiver":
{ Args: { "p_token": string,"p_waiver_version"?: string }; Returns: Json
                           },
"simulate_automations":
{ Args: { "p_from": string,"p_org_id": string,"p_to": string }; Returns: {
              "actions": Json,"automation_id": string,"automation_name": string,"client_id": string,"client_name": string,"due_at": string,"fires_at": string,"reason": string,"status": string
            }[]
                           },
"submit_onboarding":
{ Args: { "p_answers": Json,"p_token": string,"p_waiver_version"?: string }; Returns: Json
                           },
"submit_referral":
{ Args: { "p_code": string,"p_email": string,"p_message"?: string,"p_name": string,"p_phone"?: string,"p_services"?: (string)[] }; Returns: Json
                           },
"track_referral_click":
{ Args: { "p_code": string }; Returns: string
                           },
"update_my_client":
{ Args: { "p_email"?: string,"p_weight_kg"?: number }; Returns: {
              "email": string,"weight_kg": number
            }[]
                           },
"use_session":
{ Args: { "p_booking_id"?: string,"p_purchase_id": string }; Returns: boolean
                           },
"waiver_form":
{ Args: { "p_token": string }; Returns: Json
                           },
"webhook_problems":
{ Args: { "p_org_id": string }; Returns: {
              "attempts": number,"id": string,"next_attempt_at": string,"reason": string,"received_at": string,"status": string,"type": string
            }[]
                           }
          }
          Enums: {
            "inquiry_status": "NEW"|"CONTACTED"|"BOOKED"|"WON"|"LOST","money_event_type": "INCOME"|"REFUND"|"FEE"|"PLATFORM_FEE"|"PAYOUT"|"EXPENSE"|"ADJUSTMENT","org_role": "owner"|"staff"|"accountant_readonly","tax_category": "GST"|"GST_FREE"|"NONE"
          }
          CompositeTypes: {
            [_ in never]: never
          }
        }
}

type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
  ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R
    }
    ? R
    : never
  : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I
    }
    ? I
    : never
  : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U
    }
    ? U
    : never
  : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
  ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
  ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never

export const Constants = {
  "public": {
          Enums: {
            "inquiry_status": ["NEW", "CONTACTED", "BOOKED", "WON", "LOST"],"money_event_type": ["INCOME", "REFUND", "FEE", "PLATFORM_FEE", "PAYOUT", "EXPENSE", "ADJUSTMENT"],"org_role": ["owner", "staff", "accountant_readonly"],"tax_category": ["GST", "GST_FREE", "NONE"]
          }
        }
} as const
