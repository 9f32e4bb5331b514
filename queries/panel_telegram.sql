-- Messages of a Telegram export (result.json) to posts.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR: the chat's id).
-- Grain    one row per message; service messages have problem 'not_a_post'.
-- Columns  number, post_id (chat/message: message ids repeat from chat to chat), user_id, created (the time as
--          the export writes it), text, lang (null), is_repost (forwarded), is_reply, is_quote (false), client, platform, problem
--
-- `date` is the local time of whoever exported: `date_unixtime` is read where there is one (since 2021). `text` is a string, or a list of strings
-- and of objects with a `text`.
WITH fields AS (
    SELECT
        number,
        context,
        TRY(json_extract_string(line, [
            '$.id', '$.type', '$.date_unixtime', '$.from_id', '$.actor_id', '$.forwarded_from', '$.reply_to_message_id', '$.date'
        ])) AS f,
        TRY(json_extract(line, '$.text')) AS content
    FROM records
)
SELECT
    number,
    coalesce(nullif(context, '') || '/', '') || f[1] AS post_id,
    coalesce(f[4], f[5], 'chat' || nullif(context, '')) AS user_id,
    coalesce(f[3], f[8]) AS created,
    CASE
        WHEN json_type(content) = 'ARRAY' THEN list_aggregate(
            list_transform(
                CAST(content AS JSON[]),
                lambda part: coalesce(CASE WHEN json_type(part) = 'OBJECT' THEN part ->> '$.text' ELSE part ->> '$' END, '')
            ), 'string_agg', '')
        ELSE content ->> '$'
    END AS text,
    CAST(NULL AS VARCHAR) AS lang,
    f[6] IS NOT NULL AS is_repost,
    f[7] IS NOT NULL AS is_reply,
    false AS is_quote,
    CAST(NULL AS VARCHAR) AS client,
    'telegram' AS platform,
    CASE
        WHEN f IS NULL THEN 'not_json'
        WHEN f[2] = 'message' AND content IS NULL THEN 'unknown_layout'
        WHEN coalesce(f[2], '') <> 'message' THEN 'not_a_post'
    END AS problem
FROM fields
