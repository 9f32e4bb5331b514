-- One post per id, per user's text, and a bounded number per user: what is left of each week, and what is not and why.
--
-- Takes    `staged` (row BIGINT: unique, post_id, user_id, created_us, text, lang, is_repost, is_reply, platform, week INTEGER);
--          `excluded` (user_id, reason): accounts left out of the whole study; `dates` (post_id, created_us, user_id,
--          beginning): the post that counts, for ids that occur with several dates (weeks_dates.sql); the parameters below.
-- Grain    one row per staged row.
-- Columns  those of `staged`, and dropped: 'repeated_id' ('other_post' if author, text and time are others), the account's reason, 'duplicate', 'over_cap', or null
-- Order    by week, created_us, post_id
-- Engines  DuckDB (the rows of one week that a rule could touch) and, translated by sqlglot, Spark (all rows).
--
-- $duplicates   drop posts whose text their user wrote before in the same week
-- $cap          most posts of one user in one week; 0 for no limit
-- $seed         of the sample that the cap keeps, as text
--
-- Of several rows with one id the longest text stays (the others are cut), ties broken by every other column, so that
-- the order of files cannot matter; it stays in its own week only. The cap samples by md5(seed, id): an engine's own hash() differs between versions.
WITH dated AS (
    SELECT
        staged.*,
        coalesce(dates.created_us <> staged.created_us, false) AS misdated,
        coalesce(
            abs(dates.created_us - staged.created_us) >= 1000000 AND dates.user_id <> staged.user_id
            AND dates.beginning <> left(staged.text, 40), false) AS misdated_stranger
    FROM staged
    LEFT JOIN dates ON dates.post_id = staged.post_id
),
identified AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY week, post_id
            ORDER BY misdated, length(text) DESC, text, created_us, user_id, coalesce(lang, ''), is_repost, is_reply, platform
        ) AS copy,
        first_value(created_us) OVER (
            PARTITION BY week, post_id
            ORDER BY misdated, length(text) DESC, text, created_us, user_id, coalesce(lang, ''), is_repost, is_reply, platform
        ) AS kept_us,
        first_value(user_id) OVER (
            PARTITION BY week, post_id
            ORDER BY misdated, length(text) DESC, text, created_us, user_id, coalesce(lang, ''), is_repost, is_reply, platform
        ) AS kept_user,
        first_value(left(text, 40)) OVER (
            PARTITION BY week, post_id
            ORDER BY misdated, length(text) DESC, text, created_us, user_id, coalesce(lang, ''), is_repost, is_reply, platform
        ) AS kept_beginning
    FROM dated
),
judged AS (
    SELECT
        identified.*,
        CASE
            WHEN misdated_stranger THEN 'other_post'
            WHEN copy > 1 AND abs(kept_us - created_us) >= 1000000 AND kept_user <> identified.user_id
                AND kept_beginning <> left(text, 40) THEN 'other_post'
            WHEN copy > 1 OR misdated THEN 'repeated_id'
            ELSE excluded.reason
        END AS reason
    FROM identified
    LEFT JOIN excluded ON excluded.user_id = identified.user_id
),
compared AS (
    SELECT
        *,
        CASE
            WHEN reason IS NOT NULL THEN reason
            WHEN $duplicates AND row_number() OVER (
                PARTITION BY week, user_id, text, reason IS NULL ORDER BY created_us, post_id
            ) > 1 THEN 'duplicate'
        END AS reason_2
    FROM judged
),
ranked AS (
    SELECT
        *,
        CASE WHEN $cap > 0 THEN row_number() OVER (
            PARTITION BY week, user_id, reason_2 IS NULL ORDER BY md5($seed || post_id), post_id
        ) ELSE 0 END AS place
    FROM compared
)
SELECT
    row,
    post_id,
    user_id,
    created_us,
    text,
    lang,
    is_repost,
    is_reply,
    platform,
    week,
    CASE WHEN reason_2 IS NOT NULL THEN reason_2 WHEN $cap > 0 AND place > $cap THEN 'over_cap' END AS dropped
FROM ranked
ORDER BY week, created_us, post_id
