-- The users who interacted up to a moment.
SELECT user_id,
       nullif(country, '') AS country,
       languages
FROM users
WHERE user_id IN (SELECT user_id FROM interactions WHERE created_at < :until)
ORDER BY user_id
