-- Posts of Instagram's "download your information" (posts_1.json) to posts.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR).
-- Grain    one row per post; posts without words have problem 'not_a_post'.
-- Columns  number, post_id (the first picture's path: the download gives no ids), user_id (the word me: the download is
--          one account's), created (the time as the platform writes it), text (the caption), lang (null), is_repost,
--          is_reply, is_quote (false), client, platform, problem
--
-- A post of one picture has its caption and time there, one of several its own.
WITH fields AS (
    SELECT
        number,
        TRY(json_extract_string(line, [
            '$.title', '$.creation_timestamp', '$.media[0].title', '$.media[0].creation_timestamp', '$.media[0].uri'
        ])) AS f
    FROM records
)
SELECT
    number,
    f[5] AS post_id,
    'me' AS user_id,
    coalesce(f[2], f[4]) AS created,
    coalesce(nullif(f[1], ''), f[3]) AS text,
    CAST(NULL AS VARCHAR) AS lang,
    false AS is_repost,
    false AS is_reply,
    false AS is_quote,
    CAST(NULL AS VARCHAR) AS client,
    'instagram' AS platform,
    CASE WHEN f IS NULL THEN 'not_json' WHEN coalesce(nullif(f[1], ''), nullif(f[3], '')) IS NULL THEN 'not_a_post' END AS problem
FROM fields
