// Package console is the browser's face: it serves the built console, and the admin API beside it.
//
// It owns what a browser is told to hold the page to: a Content-Security-Policy that lets nothing run or load but what this listener
// serves (a nonce per answer for the styles that the page makes itself), no framing, no referrer, no features; and caching: files whose
// names carry their hash for ever, the page itself never. It decides nothing and knows no domain. /api/v1/ is handed to the same handler
// that the admin API's own listener has, with the same tokens and permissions; a browser's request from another site is refused before.
//
// Who signs in has a session, whose cookie no script reads. What a foreign page would make a browser send with it is refused: here by where
// the browser says that it comes from, and in the admin API by a header that no other page can send. An access token is kept in the tab's
// session storage, and sent in a header.
//
//	request ▶ headers ▶ /api/v1/… ▶ same origin? ▶ admin API
//	                  ▶ /assets/… ▶ a built file
//	                  ▶ a navigation ▶ the page, whatever its path: the router is in it
package console
