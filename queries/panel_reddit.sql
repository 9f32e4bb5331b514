-- Reddit submissions and comments, as in the monthly dumps or the API's listings, to posts.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR).
-- Grain    one row per submission or comment; what its author, a moderator or Reddit took away has problem 'deleted'.
-- Columns  number, post_id (full name: t1_ comment, t3_ submission), user_id (user name), created (the time as the platform
--          writes it), text (a submission's title, then its body), lang (null), is_repost (crosspost), is_reply (comment),
--          is_quote (false), client, platform, problem
--
-- Reddit escapes &, < and > on top of the text that its author wrote, so that these three are undone here; entities that
-- the author wrote (`&#x200B;`) are left to the cleaning, as on every platform.
WITH objects AS (
    SELECT number, TRY(json_extract(line, ['$.data', '$'])) AS j, TRY(json_extract_string(line, '$.kind')) AS kind
    FROM records
),
fields AS (
    SELECT
        number,
        json_extract_string(CASE WHEN kind IN ('t1', 't3') AND json_type(j[1]) = 'OBJECT' THEN j[1] ELSE j[2] END, [
            '$.name', '$.id', '$.author', '$.created_utc', '$.body', '$.title', '$.selftext', '$.crosspost_parent'
        ]) AS f
    FROM objects
),
named AS (
    SELECT
        number,
        f,
        f[6] IS NULL AS is_comment,
        coalesce(f[5], f[6]) AS first,
        CASE
            WHEN f[7] <> '' AND NOT regexp_full_match(f[7], '(?i)\[ ?(deleted|removed)( by (user|reddit|moderator))? ?\]') THEN f[7]
        END AS rest
    FROM fields
),
joined AS (
    SELECT *, first || coalesce(chr(10) || chr(10) || rest, '') AS escaped FROM named
)
SELECT
    number,
    coalesce(f[1], CASE WHEN is_comment THEN 't1_' ELSE 't3_' END || f[2]) AS post_id,
    f[3] AS user_id,
    f[4] AS created,
    CASE
        WHEN contains(escaped, '&') THEN replace(replace(replace(escaped, '&lt;', '<'), '&gt;', '>'), '&amp;', '&')
        ELSE escaped
    END AS text,
    CAST(NULL AS VARCHAR) AS lang,
    f[8] IS NOT NULL AS is_repost,
    is_comment AS is_reply,
    false AS is_quote,
    CAST(NULL AS VARCHAR) AS client,
    'reddit' AS platform,
    CASE
        WHEN f IS NULL THEN 'not_json'
        WHEN first IS NULL AND coalesce(f[1], f[2]) IS NOT NULL AND f[3] IS NOT NULL THEN 'unknown_layout'
        WHEN first IS NULL THEN 'not_a_post'
        WHEN coalesce(f[3], '[deleted]') = '[deleted]' THEN 'deleted'
        WHEN regexp_full_match(trim(first), '(?i)\[ ?(deleted|removed)( by (user|reddit|moderator))? ?\]') THEN 'deleted'
    END AS problem
FROM joined
