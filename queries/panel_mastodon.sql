-- Mastodon statuses to posts, their HTML to text.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR).
-- Grain    one row per status.
-- Columns  number, post_id, user_id, created (the time as the platform writes it), text, lang, is_repost, is_reply,
--          is_quote, client, platform, problem
--
-- Ids are the global URIs where there are any: numbers repeat from server to server. Paragraphs and line breaks become
-- line ends; links keep their whole address, which Mastodon hides in invisible parts; a content warning comes first.
WITH fields AS (
    SELECT
        number,
        TRY(json_extract_string(line, [
            '$.uri', '$.id', '$.account.uri', '$.account.url', '$.account.id', '$.created_at', '$.language',
            '$.in_reply_to_id', '$.quote', '$.application.name', '$.reblog', '$.content', '$.spoiler_text',
            '$.reblog.content', '$.reblog.spoiler_text', '$.reblog.language', '$.username'
        ])) AS f
    FROM records
),
chosen AS (
    SELECT
        number,
        f,
        CASE WHEN f[11] IS NULL THEN f[12] ELSE f[14] END AS html,
        nullif(CASE WHEN f[11] IS NULL THEN f[13] ELSE f[15] END, '') AS warning
    FROM fields
),
stripped AS (
    SELECT
        number,
        f,
        html,
        warning,
        regexp_replace(regexp_replace(regexp_replace(
            html, '(?i)<br */?>', chr(10), 'g'), '(?i)</p>\s*<p[^>]*>', chr(10) || chr(10), 'g'), '<[^>]*>', '', 'g') AS text
    FROM chosen
)
SELECT
    number,
    coalesce(f[1], f[2]) AS post_id,
    coalesce(f[3], f[4], f[5]) AS user_id,
    f[6] AS created,
    coalesce(warning || chr(10), '') || replace(replace(replace(replace(replace(replace(replace(
        text, '&lt;', '<'), '&gt;', '>'), '&quot;', '"'), '&#39;', ''''), '&apos;', ''''), '&nbsp;', ' '), '&amp;', '&') AS text,
    coalesce(f[16], f[7]) AS lang,
    f[11] IS NOT NULL AS is_repost,
    f[8] IS NOT NULL AS is_reply,
    f[9] IS NOT NULL AS is_quote,
    f[10] AS client,
    'mastodon' AS platform,
    CASE
        WHEN f IS NULL THEN 'not_json'
        WHEN html IS NULL AND f[2] IS NOT NULL AND f[6] IS NOT NULL AND f[17] IS NULL THEN 'unknown_layout'
        WHEN html IS NULL THEN 'not_a_post'
    END AS problem
FROM stripped
