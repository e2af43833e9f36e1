package corpus

import "strings"

// word is a plain one.
func word(d dice) string { return one(d, words) }

// sentence is one of prose in some language, as it is or made of parts.
func sentence(d dice) string {
	if d.chance(3) {
		return strings.NewReplacer("{person}", one(d, people), "{topic}", one(d, topics), "{city}", one(d, cities), "{number}", d.text("123456789", 3)).Replace(one(d, templates))
	}
	return one(d, sentences)
}

// paragraph is some sentences.
func paragraph(d dice) string {
	all := make([]string, 2+d.IntN(4))
	for i := range all {
		all[i] = sentence(d)
	}
	return strings.Join(all, " ")
}

var (
	words     = []string{"order", "note", "comment", "title", "customer", "city", "price", "summary", "filter", "text", "message", "subject", "reference", "value", "label"}
	hosts     = []string{"www.example.com", "shop.example.de", "portal.bank.example", "docs.example.org"}
	apiHosts  = []string{"api.example.com", "api.eu.bank.example", "gateway.example.net:8443"}
	languages = []string{"en-US,en;q=0.9", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", "tr-TR,tr;q=0.9", "ja,en-US;q=0.7"}
	browsers  = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
	}
	programs = []string{
		"okhttp/4.12.0", "axios/1.7.2", "Dart/3.4 (dart:io)", "Apache-HttpClient/5.3 (Java/21.0.2)", "GitHub-Hookshot/1a2b3c4", "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
		"PostmanRuntime/7.43.0", "acme-billing/2.4.1 (linux; amd64)", "Slackbot 1.0 (+https://api.slack.com/robots)",
	}
	pages       = []string{"/", "/products", "/products/garden-table-180x90", "/account/orders", "/help/returns-and-refunds", "/blog/2026/03/how-to-choose-a-union-rate", "/de/über-uns", "/kontakt", "/pricing?plan=team&seats=25", "/news/selecting-from-where-we-left"}
	collections = []string{"/api/v1/orders", "/api/v1/customers", "/v2/accounts/7421/transactions", "/api/products", "/api/v3/users/me/notifications", "/invoices"}
	topics      = []string{"garden chairs", "Bücherregal", "machine à café", "running shoes", "Rock & Roll", "C++ in depth", "women's coats", "50% off", "drop table lamp", "select committee", "AT&T", "1=1 puzzle game", "Kinder-Sitz", "чай зелёный", "日本語の本", "niño y niña", "crème brûlée", "3/4\" pipe", "rm -rf jokes", "O'Reilly books"}
	queries     = []string{
		"how to select a credit union", "what's new", "where to go from here", "\"exact phrase\" -site:example.com", "price > 100 and size = XL", "c# or java?", "when is the drop-off; where?",
		"Müller & Söhne GmbH", "l'été à Paris", "rock 'n' roll", "100% cotton (white)", "cats and dogs or 1 or 2 birds", "größer als 5", "имя пользователя", "東京 ホテル", "فندق في دبي", "alert! sale", "script writing course",
		"insert coin into slot", "user's guide: create table of contents", "what is <b> in html", "union square hotels", "javascript: the good parts", "etc. and so on", "../ relative paths explained", "ping pong table", "order by friday", "having fun group by age",
	}
	near      = []string{"near Berlin", "in O'Fallon", "à Genève", "für Kinder", "under $50", "(used)", "2026"}
	given     = []string{"Ann", "Jürgen", "Zoë", "José", "Siobhán", "Łukasz", "Nguyễn", "Åse", "D'Andre", "Jean-Luc", "Олена", "明", "فاطمة", "Seán"}
	family    = []string{"O'Brien", "Müller-Lüdenscheidt", "D'Angelo", "van der Berg", "Null", "Select", "Smith", "Özdemir", "García Márquez", "Nowak", "Drop", "Иванов", "山田", "O’Neill", "St. John"}
	people    = []string{"Conan O'Brien", "Ann Smith", "Jürgen Müller", "Siobhán O’Neill", "Jean-Luc D'Arcy", "Dr. Eva Union", "José García Márquez", "Łukasz Nowak", "Robert Tables Jr.", "Олена Шевченко", "山田 太郎", "Nguyễn Văn A", "Mary-Kate \"MK\" Olsen", "Peter & Paul"}
	companies = []string{"", "Smith & Sons Ltd.", "Müller GmbH & Co. KG", "L'Oréal S.A.", "AT&T", "Yahoo!", "7-Eleven", "Toys \"R\" Us", "Union Bank", "Execute Consulting", "Système U", "H&M"}
	streets   = []string{"12 King's Road", "Straße des 17. Juni 135", "5, rue de l'Église", "Via Dell'Orso 4/B", "221B Baker St.; 2nd floor", "C/ Mayor, 3, 2º izq.", "Apt #4, 1600 Penn. Ave", "ul. 3-go Maja 7", "Select Drive 10", "東京都千代田区1-1"}
	cities    = []string{"O'Fallon", "Zürich", "København", "São Paulo", "Saint-Étienne", "Coeur d'Alene", "Łódź", "İzmir", "Union City", "京都市"}
	codes     = []string{"10557", "SW1A 1AA", "8001", "69001", "00-950", "D02 AF30", "100-0001"}
	phones    = []string{"+49 (0)30 1234-567", "+1 (555) 010-0199", "0044 20 7946 0958", "06.12.34.56.78"}
	passwords = []string{"correct horse battery staple ", "P@ssw0rd!", "x'; y\"--", "<3rainbows>", "100%Sure?", "a&b=c+d"}
	emojis    = []string{"", "😀", "👍🏽", ":-)", ";)", "<3", "¯\\_(ツ)_/¯", "🎉🎉"}
	files     = []struct{ name, kind string }{
		{"holiday.png", "image/png"}, {"Rechnung März 2026.pdf", "application/pdf"}, {"export (1).csv", "text/csv"}, {"notes.txt", "text/plain"}, {"O'Brien - CV.pdf", "application/pdf"}, {"archive.zip", "application/zip"}, {"photo_2026-03-01 10.11.12.png", "image/png"},
	}
	templates = []string{
		"{person} asked for {number} more of the {topic} to be sent to {city}.", "Could you please update the {topic} from {city}, and let {person} know where it went?", "Order #{number}: {topic} — customer is {person} ({city})",
		"I'd like to return the {topic}; it's {number} mm too long & doesn't fit.", "Meeting w/ {person} @ {number}:00 re: {topic}?", "Bitte {number} Stück \"{topic}\" an {person} in {city} schicken – danke!", "{person}: «{topic}», c'est {number} €, n'est-ce pas ?",
	}
	sentences = []string{
		"Please select an option from the list below and update your profile where necessary.", "I can't believe it's not included; shouldn't it be?", "The union of both committees will meet on Friday at 10 o'clock.", "Insert the card into the slot, then drop the lever and execute the test.",
		"It works -- most of the time, or so they say.", "Prices range from $10 to $25 (excl. VAT) & shipping is free over 50 €.", "He said: \"I'd rather wait; don't you think so?\"", "1 or 2 of the items are missing, and 3 = too many.", "See https://example.com/help?topic=returns&lang=en#faq for details.", "My e-mail is ann.o'brien+shop@example.com, call me after 5pm!",
		"Sehr geehrte Damen und Herren, leider ist die Ware beschädigt angekommen.", "Können Sie mir bitte bis zum 3.4. Bescheid geben, ob's klappt?", "Das Gerät läuft nicht: Fehler 0x80070005 beim Start, siehe C:\\Windows\\Temp\\setup.log.", "L'article que j'ai reçu n'est pas celui que j'avais commandé.", "Où est-ce qu'on peut s'inscrire à l'atelier d'écriture ?", "¿Cuándo llegará mi pedido? ¡Ya pasaron 2 semanas!", "Vorrei sapere se l'offerta è ancora valida; c'è scritto \"fino al 31\".",
		"Não consigo aceder à minha conta desde ontem à noite.", "Proszę o fakturę na firmę „Żółw i Łoś” sp. z o.o.", "Siparişim hâlâ gelmedi, lütfen kontrol eder misiniz?", "Здравствуйте! Подскажите, пожалуйста, когда будет доставка?", "Дякую, все гаразд — чекаю на відповідь.", "商品がまだ届いていません。確認をお願いします。", "请问什么时候发货？谢谢！", "مرحبا، متى يصل طلبي؟", "मेरा ऑर्डर कब आएगा?", "배송은 언제 되나요?",
		"Try to delete the app, then install it from the store again; that helped me.", "What if there is no table left? We'd join you at the bar instead.", "The script of the play was written by my cat <3", "a < b and c > d, so a/b < c/d is wrong", "Use File > Export > CSV, then open it with Excel.", "Is null a valid surname? Asking for Mr. Null :-)", "Replace {name} with your name and ${amount} with 100.", "The ping to the server takes 20ms; cat pictures load faster.", "Who am I? It's a question of id and ego.", "We sleep (8 hours) and wait for delivery between 9 and 12.", "Having received no reply, we order by phone.",
		"The document.pdf is attached; the cookie recipe comes later.", "Load the file into memory and go and exec the plan.", "Group by age, sort by name, limit 10 per table!", "Alert: prompt payment is appreciated.", "Es gilt § 433 BGB i.V.m. Nr. 3 AGB.", "Rock'n'roll isn't dead; it's just having a nap.", "Temperature: -5°C … +3°C; wind 10–15 km/h",
	}
	snippets = []string{
		"SELECT id, name FROM users WHERE email = 'ann@example.com' ORDER BY id DESC LIMIT 10;", "for i in $(seq 1 10); do curl -s http://localhost:8080/health; done", "if err != nil {\n\treturn fmt.Errorf(\"open %s: %w\", name, err)\n}", "<div class=\"card\" onclick=\"open(this)\"><img src=\"a.png\"></div>",
		"console.log(document.querySelectorAll('a[href^=\"http\"]').length);", "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:12 +0x1d", "java.lang.NullPointerException: Cannot invoke \"String.length()\" because \"s\" is null\n\tat com.example.Main.main(Main.java:5)", "chmod +x ./deploy.sh && ./deploy.sh --env=staging",
		"def f(x):\n    return {k: v for k, v in x.items() if v is not None}", "{\n  \"scripts\": {\"build\": \"tsc && vite build\"}\n}", "<?xml version=\"1.0\"?><config><item name=\"a\"/></config>", "kubectl get pods -n prod | grep -v Running | awk '{print $1}'", "UPDATE orders SET status = 'paid' WHERE id = 42 AND deleted_at IS NULL;", "git log --oneline | head -n 20", "<?php echo htmlspecialchars($name); ?>", "@media (max-width: 600px) { .nav > li:first-child { display: none } }",
	}
)
