-- The numbers that were there before app.read_client_phone() read them. What cannot be read stays as it was typed.
set lock_timeout = '5s';

update public.clients set phone_e164 = null where phone ~ '\S' and phone_e164 is null;
