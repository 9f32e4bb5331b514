-- Ids that occur with several dates, and the date that counts.
--
-- Takes    `staged` (post_id, user_id, created_us, text, lang, is_repost, is_reply, platform): posts of all weeks.
-- Grain    one row per id that has more than one date.
-- Columns  post_id, created_us (the date of the row that stays: the longest text, as in weeks_reduce.sql), user_id and
--          beginning (of its text)
-- Order    by post_id
-- Engines  DuckDB (the rows of ids that have several dates) and, translated by sqlglot, Spark (all rows).
WITH ranked AS (
    SELECT
        post_id,
        created_us,
        user_id,
        left(text, 40) AS beginning,
        row_number() OVER (
            PARTITION BY post_id
            ORDER BY length(text) DESC, text, created_us, user_id, coalesce(lang, ''), is_repost, is_reply, platform
        ) AS place,
        min(created_us) OVER (PARTITION BY post_id) AS first_us,
        max(created_us) OVER (PARTITION BY post_id) AS last_us
    FROM staged
)
SELECT post_id, created_us, user_id, beginning
FROM ranked
WHERE place = 1 AND first_us < last_us
ORDER BY post_id
