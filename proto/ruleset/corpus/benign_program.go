package corpus

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// What programs do.

func restRead(d dice) Request {
	target := one(d, collections)
	if d.chance(2) {
		target += "/" + one(d, []string{d.uuid(), strconv.Itoa(d.IntN(1e7)), "ord_" + d.text(alphanumeric, 20)})
	} else {
		target += "?" + pairs("limit", "50", "cursor", base64.URLEncoding.EncodeToString([]byte("id:"+d.uuid())), "fields", "id,name,created_at").Encode()
	}
	return program(d, "GET", target)
}

func listing(d dice) Request {
	filter := one(d, []string{
		"filter[status]=open&filter[created][gte]=2026-01-01T00:00:00Z&include=customer,lines&page[size]=25",
		"$filter=" + url.QueryEscape("Name eq 'O''Neil' and Price gt 20") + "&$top=10&$orderby=Name",
		"where=" + url.QueryEscape(`{"status":{"$in":["open","paid"]},"total":{"$gte":100}}`),
		"q=" + url.QueryEscape(`status:open author:"`+one(d, people)+`" created:>=2026-01-01`),
		"ids=1,2,3,5,8,13&expand=lines.product&sort=-created_at,name",
		"from=" + url.QueryEscape("2026-03-01T00:00:00+01:00") + "&to=now&tz=" + url.QueryEscape("Europe/Zürich"),
		"bbox=8.4,47.2,8.7,47.5&zoom=12&layers=roads,water",
	})
	return program(d, "GET", one(d, collections)+"?"+filter)
}

func jsonCreate(d dice) Request {
	lines := make([]any, 1+d.IntN(3))
	for i := range lines {
		lines[i] = map[string]any{"sku": strings.ToUpper(d.hex(8)), "name": one(d, topics), "quantity": 1 + d.IntN(9), "unit_price": float64(d.IntN(100000)) / 100}
	}
	return carrying(program(d, "POST", one(d, collections)), asJSON, encoded(map[string]any{
		"customer": map[string]any{"name": one(d, people), "email": mail(d), "company": one(d, companies)},
		"address":  map[string]any{"street": one(d, streets), "zip": one(d, codes), "city": one(d, cities)},
		"lines":    lines, "note": sentence(d), "currency": "EUR", "idempotency_key": d.uuid(),
	}))
}

func restPatch(d dice) Request {
	if d.chance(2) {
		return carrying(program(d, "PATCH", one(d, collections)+"/"+d.uuid()), "application/json-patch+json", encoded([]any{
			map[string]any{"op": "replace", "path": "/status", "value": one(d, []string{"open", "closed", "on hold"})},
			map[string]any{"op": "add", "path": "/notes/-", "value": sentence(d)},
		}))
	}
	return carrying(program(d, "PUT", one(d, collections)+"/"+d.uuid()), asJSON, encoded(map[string]any{"name": one(d, people), "tags": []string{one(d, topics), one(d, topics)}, "updated_at": stamp(d), "description": paragraph(d)}))
}

func restDelete(d dice) Request {
	r := program(d, "DELETE", one(d, collections)+"/"+d.uuid())
	if d.chance(2) {
		r.Header = append(r.Header, Field{"If-Match", `"` + d.hex(12) + `"`})
	}
	return r
}

func graphQL(d dice) Request {
	query := one(d, []string{
		"query Orders($first: Int!, $after: String) {\n  orders(first: $first, after: $after, orderBy: {field: CREATED_AT, direction: DESC}) {\n    edges { node { id number total { amount currency } customer { name } } }\n    pageInfo { endCursor hasNextPage }\n  }\n}",
		"mutation AddComment($input: AddCommentInput!) { addComment(input: $input) { comment { id bodyHTML } errors { field message } } }",
		"{ viewer { login repositories(last: 5) { nodes { name stargazerCount } } } }",
		"fragment P on Person { id name } query { people(filter: {name: {like: \"%ann%\"}}) { ...P } }",
	})
	return carrying(browser(d, "POST", "/graphql", false), asJSON, encoded(map[string]any{"operationName": nil, "query": query, "variables": map[string]any{"first": 20, "after": nil, "input": map[string]any{"body": paragraph(d)}}}))
}

func token(d dice) Request {
	r := program(d, "POST", "/oauth/token")
	arguments := one(d, []url.Values{
		pairs("grant_type", "authorization_code", "code", d.text(alphanumeric, 40), "redirect_uri", "https://app.example.com/callback?from=login", "code_verifier", d.text(alphanumeric, 64), "client_id", d.hex(20)),
		pairs("grant_type", "client_credentials", "scope", "orders:read orders:write", "audience", "https://api.example.com/"),
		pairs("grant_type", "refresh_token", "refresh_token", jwt(d)),
		pairs("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", jwt(d)),
	})
	return carrying(r, form, []byte(arguments.Encode()))
}

func webhook(d dice) Request {
	hook := one(d, []struct {
		event Field
		body  map[string]any
	}{
		{Field{"X-GitHub-Event", "push"}, map[string]any{
			"ref": "refs/heads/" + word(d), "before": d.hex(40), "after": d.hex(40), "pusher": map[string]any{"name": one(d, given), "email": mail(d)},
			"repository": map[string]any{"full_name": "acme/" + word(d), "html_url": "https://github.com/acme/" + word(d)},
			"commits":    []any{map[string]any{"id": d.hex(40), "message": "Fix " + sentence(d) + "\n\nCloses #" + strconv.Itoa(d.IntN(999)), "added": []string{"src/main.go", "db/migrations/0007_users.sql"}, "removed": []string{}}},
		}},
		{Field{"Stripe-Signature", "t=1760000000,v1=" + d.hex(64)}, map[string]any{
			"id": "evt_" + d.text(alphanumeric, 24), "object": "event", "type": "invoice.paid", "created": 1_760_000_000 + d.IntN(1e6), "livemode": true,
			"data": map[string]any{"object": map[string]any{"id": "in_" + d.text(alphanumeric, 24), "amount_paid": d.IntN(1e6), "customer_name": one(d, people), "description": sentence(d)}},
		}},
		{Field{"X-Shopify-Topic", "orders/create"}, map[string]any{
			"id": d.IntN(1e9), "email": mail(d), "total_price": "49.90", "landing_site": "/?gclid=" + d.text(alphanumeric, 30), "note": paragraph(d),
			"shipping_address": map[string]any{"name": one(d, people), "address1": one(d, streets), "city": one(d, cities), "zip": one(d, codes)},
		}},
		{Field{"X-Slack-Signature", "v0=" + d.hex(64)}, map[string]any{
			"type": "event_callback", "team_id": "T" + strings.ToUpper(d.hex(8)), "event": map[string]any{"type": "message", "user": "U" + strings.ToUpper(d.hex(8)), "text": "<@U123> " + sentence(d) + " <https://example.com/x?a=1&amp;b=2|link>", "ts": "1760000000.000200"},
		}},
	})
	r := program(d, "POST", "/hooks/"+d.uuid())
	r.Header = append(r.Header, hook.event)
	return carrying(r, asJSON, encoded(hook.body))
}

func preflight(d dice) Request {
	r := browser(d, "OPTIONS", one(d, collections), false)
	r.Header = append(r.Header, Field{"Access-Control-Request-Method", one(d, []string{"POST", "PUT", "DELETE"})}, Field{"Access-Control-Request-Headers", "authorization,content-type"})
	return r
}

func soap(d dice) Request {
	body := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:o="urn:example:orders"><soap:Header/><soap:Body><o:CreateOrder><o:Customer>` +
		escapeXML(one(d, people)) + `</o:Customer><o:Street>` + escapeXML(one(d, streets)) + `</o:Street><o:Amount currency="EUR">` + strconv.Itoa(d.IntN(9999)) + `.50</o:Amount><o:Remark>` + escapeXML(sentence(d)) + `</o:Remark></o:CreateOrder></soap:Body></soap:Envelope>`
	r := program(d, "POST", "/services/OrderService")
	if d.chance(2) {
		return carrying(r, "application/soap+xml; charset=utf-8", []byte(body))
	}
	r.Header = append(r.Header, Field{"SOAPAction", `"urn:example:orders#CreateOrder"`})
	return carrying(r, "text/xml; charset=utf-8", []byte(body))
}

func feed(d dice) Request {
	r := program(d, "GET", one(d, []string{"/feed.xml", "/healthz", "/.well-known/openid-configuration", "/sitemap.xml", "/robots.txt", "/api/v1/events?since=" + strconv.Itoa(d.IntN(1e9))}))
	if d.chance(3) {
		r.Header = append(r.Header, Field{"Range", "bytes=0-1023"})
	}
	return r
}

func rpc(d dice) Request {
	return carrying(program(d, "POST", "/rpc"), asJSON, encoded(map[string]any{"jsonrpc": "2.0", "id": d.IntN(1e6), "method": "orders.find", "params": map[string]any{"name": one(d, people), "text": sentence(d), "since": stamp(d)}}))
}

func signedLink(d dice) Request {
	return program(d, "GET", "/exports/"+d.uuid()+"/report.csv?"+pairs("X-Amz-Algorithm", "AWS4-HMAC-SHA256", "X-Amz-Credential", "AKIA"+strings.ToUpper(d.hex(16))+"/20260301/eu-central-1/s3/aws4_request",
		"X-Amz-Date", "20260301T101112Z", "X-Amz-Expires", "3600", "X-Amz-SignedHeaders", "host", "X-Amz-Signature", d.hex(64), "response-content-disposition", `attachment; filename="report.csv"`).Encode())
}

func csvImport(d dice) Request {
	return carrying(program(d, "POST", "/api/v1/imports"), one(d, []string{"text/csv", "text/csv; charset=utf-8", "text/plain"}), []byte(table(d)))
}

// table is a CSV file.
func table(d dice) string {
	var b strings.Builder
	b.WriteString("id,name,street,zip,city,remark\r\n")
	for i := range 2 + d.IntN(6) {
		fmt.Fprintf(&b, "%d,\"%s\",\"%s\",%s,%s,\"%s\"\r\n", i, one(d, people), one(d, streets), one(d, codes), one(d, cities), strings.ReplaceAll(sentence(d), `"`, `""`))
	}
	return b.String()
}

// jwt looks like a signed token (RFC 7519).
func jwt(d dice) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256","typ":"JWT","kid":"`+d.hex(16)+`"}`)) + "." +
		part(encoded(map[string]any{"iss": "https://login.example.com/", "sub": d.uuid(), "aud": "api", "iat": 1_760_000_000, "exp": 1_760_003_600, "name": one(d, people), "scope": "openid profile orders:read"})) + "." +
		part([]byte(d.text(alphanumeric, 256)))
}

func stamp(d dice) string {
	return fmt.Sprintf("2026-%02d-%02dT%02d:%02d:%02d.%03dZ", 1+d.IntN(12), 1+d.IntN(28), d.IntN(24), d.IntN(60), d.IntN(60), d.IntN(1000))
}
