-- Times as text, in the forms that whole files are written in, to moments.
--
-- Takes    the relation `records` (created VARCHAR, trimmed; null where there is none).
-- Grain    one row per row of `records`, in their order.
-- Columns  utc_us (microseconds since 1970 in UTC), local_us (microseconds since 1970 by a clock whose zone the time does
--          not say); both null where the form is another, which is then read one by one
--
-- Forms: Twitter's own; ISO 8601 with seconds, with an offset or without; numbers of seconds, milliseconds, microseconds or
-- nanoseconds since 1970, told apart by their digits. Numbers that would lie before 2001 are left to a closer look.
SELECT
    CASE
        WHEN created[1] >= 'A' THEN epoch_us(try_strptime(created, '%a %b %d %H:%M:%S %z %Y'))
        WHEN regexp_full_match(created, '[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}(:?[0-9]{2})?)')
            THEN epoch_us(TRY_CAST(created AS TIMESTAMPTZ))
        WHEN regexp_full_match(created, '1[0-9]{9}') THEN CAST(created AS BIGINT) * 1000000
        WHEN regexp_full_match(created, '1[0-9]{9}[.][0-9]{1,6}')
            THEN CAST(CAST(created AS DECIMAL(27, 9)) * 1000000 AS BIGINT)
        WHEN regexp_full_match(created, '1[0-9]{12}') THEN CAST(created AS BIGINT) * 1000
        WHEN regexp_full_match(created, '1[0-9]{15}') THEN CAST(created AS BIGINT)
        WHEN regexp_full_match(created, '1[0-9]{18}') THEN CAST(created AS BIGINT) // 1000
    END AS utc_us,
    CASE
        WHEN regexp_full_match(created, '[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?')
            THEN epoch_us(TRY_CAST(created AS TIMESTAMP))
    END AS local_us
FROM records
