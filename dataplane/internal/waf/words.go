package waf

import "strings"

// attackWords are the words that stay readable in what matched: those that make an attack one. They are languages' own, and no value that somebody would hold.
var attackWords = wordsOf(
	// SQL
	`all alter and as asc avg begin benchmark between by case cast char chr coalesce collate column commit concat concat_ws convert count create current_user
	 database dbms_pipe declare delay delete desc distinct drop dumpfile else end except exec execute exists extractvalue false from group group_concat having
	 hex if ifnull in information_schema insert int intersect into is isnull join left like limit load_file not null nvarchar offset on or order outfile
	 pg_sleep pg_user procedure rand randomblob receive_message regexp replace returning rlike rollback schema schema_name select set shutdown sleep sqlite_master
	 sqlite_version sp_executesql substr substring sysdate sysobjects table table_name then top true truncate union unhex update updatexml user_tables values
	 varchar version waitfor when where xor xp_cmdshell`,
	// HTML and JavaScript
	`about alert applet base body confirm constructor cookie data details div document embed eval expression fetch form frame frameset fromcharcode function
	 href html iframe image img import input innerhtml javascript link location marquee math meta mocha noscript object onabort onanimationstart onblur onclick
	 onerror onfocus onload onmouseover onpointerenter ontoggle onwheel outerhtml prompt proto __proto__ prototype script settimeout src srcdoc string style svg
	 textarea this throw title url var vbscript video void window write xlink xmlhttprequest xss`,
	// Shells and files
	`awk base64 bash bin boot busybox cat cd cgi chmod chown cmd conf config cp curl dev dir echo env etc exe export fd find git grep hosts htaccess htpasswd id
	 ifs ini kill ls mkfifo nc ncat netcat net nslookup passwd perl ping powershell printenv proc ps python rm ruby self sed service sh shadow ssh sudo sys
	 system32 tail tar tcp tee telnet tmp touch uname usr wget whoami win windows www xargs zsh`,
	// Programs, templates and protocols
	`array_map assert autoload base64_decode call_user_func class classloader create_function doctype element entity file file_get_contents fopen fwrite ftp getclass
	 getruntime gopher gzinflate http https include include_once invoke java jndi lang ldap ldaps method new open passthru pcntl_exec phar php phpinfo popen
	 proc_open process processbuilder public require require_once rmi runtime serialize shell_exec start str_rot13 system unserialize xml xmlns xxe`,
)

func wordsOf(lists ...string) map[string]bool {
	words := map[string]bool{}
	for _, list := range lists {
		for _, word := range strings.Fields(list) {
			words[word] = true
		}
	}
	return words
}
