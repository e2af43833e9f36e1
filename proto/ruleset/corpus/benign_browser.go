package corpus

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// What people do with browsers.

func page(d dice) Request {
	target := one(d, pages)
	if d.chance(2) {
		target += "?" + pairs("utm_source", one(d, []string{"newsletter", "google", "linkedin"}), "utm_campaign", one(d, topics)+" "+strconv.Itoa(2020+d.IntN(7)), "ref", d.hex(8)).Encode()
	}
	return browser(d, "GET", target, true)
}

func search(d dice) Request {
	asked := one(d, queries)
	if d.chance(2) {
		asked = one(d, topics) + " " + one(d, near)
	}
	return browser(d, "GET", "/search?"+pairs("q", asked, "page", strconv.Itoa(1+d.IntN(9)), "sort", one(d, []string{"relevance", "price_asc", "-created_at"})).Encode(), true)
}

func asset(d dice) Request {
	r := browser(d, "GET", one(d, []string{"/static/js/app.", "/assets/main-", "/img/hero.", "/fonts/Inter-Regular."})+d.hex(8)+one(d, []string{".js", ".css", ".png", ".woff2", ".svg"}), false)
	if d.chance(3) {
		r.Header = append(r.Header, Field{"If-None-Match", `W/"` + d.hex(16) + `"`}, Field{"If-Modified-Since", "Tue, 03 Mar 2026 10:11:12 GMT"})
	}
	return r
}

func formProse(d dice) Request {
	return carrying(browser(d, "POST", "/contact", true), form, []byte(pairs(
		"csrf_token", d.text(alphanumeric, 43), "name", one(d, people), "email", mail(d), "subject", sentence(d), "message", paragraph(d), "consent", "on").Encode()))
}

func addressForm(d dice) Request {
	return carrying(browser(d, "POST", "/checkout/address", true), form, []byte(pairs(
		"first_name", one(d, given), "last_name", one(d, family), "company", one(d, companies), "street", one(d, streets), "zip", one(d, codes), "city", one(d, cities),
		"phone", one(d, phones), "note", sentence(d)).Encode()))
}

func signIn(d dice) Request {
	return carrying(browser(d, "POST", "/login", true), form, []byte(pairs(
		"username", mail(d), "password", one(d, passwords)+d.text(alphanumeric, 4), "remember", "1", "next", one(d, pages), "csrf", d.hex(64)).Encode()))
}

func comment(d dice) Request {
	body := encoded(map[string]any{"text": paragraph(d), "parent": nil, "mentions": []string{one(d, given)}, "rating": 1 + d.IntN(5)})
	return carrying(browser(d, "POST", "/api/articles/"+strconv.Itoa(d.IntN(1e6))+"/comments", false), asJSON, body)
}

// ticket is somebody's work: text with code in it.
func ticket(d dice) Request {
	body := encoded(map[string]any{
		"title": sentence(d), "description": paragraph(d) + "\n\n```\n" + one(d, snippets) + "\n```\n" + sentence(d),
		"labels": []string{one(d, topics), "bug"}, "assignee": one(d, people), "estimate": nil,
	})
	return carrying(browser(d, "POST", "/api/v2/tickets", false), "application/json; charset=utf-8", body)
}

func chat(d dice) Request {
	return carrying(browser(d, "POST", "/api/chat/rooms/"+d.uuid()+"/messages", false), asJSON,
		encoded(map[string]any{"id": d.uuid(), "text": sentence(d) + " " + one(d, emojis), "sentAt": stamp(d)}))
}

func cart(d dice) Request {
	return carrying(browser(d, "PUT", "/cart/items/"+strconv.Itoa(d.IntN(1e6)), false), asJSON,
		encoded(map[string]any{"sku": strings.ToUpper(d.hex(8)), "quantity": 1 + d.IntN(5), "gift": d.chance(4), "message": one(d, []string{"", sentence(d)})}))
}

func settings(d dice) Request {
	return carrying(browser(d, "PATCH", "/api/me/settings", false), "application/merge-patch+json", encoded(map[string]any{
		"displayName": one(d, people), "bio": paragraph(d), "website": "https://" + one(d, hosts) + "/~" + word(d), "timezone": "Europe/Berlin", "newsletter": d.chance(2), "signature": "-- \n" + one(d, people) + "\n" + one(d, companies),
	}))
}

func beacon(d dice) Request {
	events := make([]any, 1+d.IntN(4))
	for i := range events {
		events[i] = map[string]any{"type": one(d, []string{"click", "view", "scroll", "error"}), "t": d.IntN(1e6), "el": "div#app > main.content > a.btn:nth-child(2)", "url": "https://" + one(d, hosts) + one(d, pages) + "?tab=2#top", "title": sentence(d)}
	}
	return carrying(browser(d, "POST", "/collect", false), one(d, []string{asJSON, "text/plain;charset=UTF-8"}), encoded(map[string]any{"v": 2, "cid": d.uuid(), "events": events, "viewport": "1440x900"}))
}

func upload(d dice) Request {
	file := one(d, files)
	content := d.text(alphanumeric, 200+d.IntN(1500))
	switch {
	case strings.HasSuffix(file.name, ".png"):
		content = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + content
	case strings.HasSuffix(file.name, ".pdf"):
		content = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Type/Catalog>>\nendobj\n" + content + "\n%%EOF"
	case strings.HasSuffix(file.name, ".csv"):
		content = table(d)
	case strings.HasSuffix(file.name, ".txt"):
		content = paragraph(d) + "\n" + paragraph(d)
	}
	made := multipart(d, "", part{name: "description", body: sentence(d)}, part{name: "file", file: file.name, kind: file.kind, body: content})
	return carrying(browser(d, "POST", "/api/documents", false), made.Get("Content-Type"), made.Body)
}

// cookies are what a site and its helpers leave in a browser.
func cookies(d dice) string {
	all := []string{"sid=" + d.hex(32)}
	if d.chance(2) {
		all = append(all, fmt.Sprintf("_ga=GA1.2.%d.%d", d.IntN(1e9), 1_700_000_000+d.IntN(9e7)), "_ga_"+strings.ToUpper(d.hex(10))+fmt.Sprintf("=GS1.1.%d.%d.1.%d.0.0.0", 1_700_000_000+d.IntN(9e7), 1+d.IntN(30), 1_700_000_000+d.IntN(9e7)))
	}
	if d.chance(2) {
		all = append(all, "consent="+url.QueryEscape(string(encoded(map[string]any{"necessary": true, "stats": d.chance(2), "at": stamp(d)}))))
	}
	if d.chance(3) {
		all = append(all, "lang="+one(d, []string{"de-DE", "en-GB", "fr"}), "theme=dark", "csrftoken="+d.text(alphanumeric, 32))
	}
	if d.chance(4) {
		all = append(all, "session="+jwt(d))
	}
	if d.chance(4) {
		all = append(all, "cart="+base64.StdEncoding.EncodeToString(encoded(map[string]any{"items": d.IntN(9), "id": d.uuid()})))
	}
	return strings.Join(all, "; ")
}

func mail(d dice) string {
	return strings.ToLower(word(d)) + one(d, []string{".", "_", "+shop", "-"}) + d.hex(2) + "@" + one(d, []string{"example.com", "gmail.com", "uni-köln.example", "mail.example.co.uk"})
}

// pairs are arguments, name behind name.
func pairs(all ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(all); i += 2 {
		values.Set(all[i], all[i+1])
	}
	return values
}
