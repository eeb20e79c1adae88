/*
 * A UTS namespace with names of its own, seen from a parent and its child. After the move each of them renames the
 * host and the other must see it: two namespaces with the same names would not do.
 */
#include "spaces.h"

#include <sys/utsname.h>

enum question { NODE, DOMAIN, RENAME };

static char node[32], domain[32];

static struct utsname names(void)
{
	struct utsname found;

	if (uname(&found))
		die("uname");
	return found;
}

static void answer(unsigned question, char *text)
{
	if (question == RENAME && sethostname("renamed-by-child", 16))
		strcpy(text, strerror(errno));
	else
		strcpy(text, question == DOMAIN ? names().domainname : names().nodename);
}

static void describe(void)
{
	struct utsname found = names();

	report_text("nodename", found.nodename);
	report_text("domainname", found.domainname);
	report_number("partner", (uint64_t)partner_pid);
}

static void verify(void)
{
	compare_text("host name", names().nodename, node);
	compare_text("domain name", names().domainname, domain);
	compare_text("host name in the child", ask_partner(NODE), node);
	compare_text("domain name in the child", ask_partner(DOMAIN), domain);
	if (sethostname("renamed", 7) || setdomainname("also-renamed", 12))
		mismatch("the names cannot be changed: %s", strerror(errno));
	compare_text("host name in the child, renamed", ask_partner(NODE), "renamed");
	compare_text("domain name in the child, renamed", ask_partner(DOMAIN), "also-renamed");
	ask_partner(RENAME);
	compare_text("host name, renamed by the child", names().nodename, "renamed-by-child");
}

static void damage_node(void)
{
	sethostname("elsewhere", 9);
}

static void damage_domain(void)
{
	setdomainname("(none)", 6);
}

/* The same names in a namespace that is no longer the child's. */
static void damage_apart(void)
{
	enter_new(CLONE_NEWUTS);
}

static void damage_left(void)
{
	join_starter("uts", CLONE_NEWUTS);
}

int main(void)
{
	const struct damage damages[] = { { "node", damage_node },
					  { "domain", damage_domain },
					  { "apart", damage_apart },
					  { "left", damage_left },
					  { 0 } };

	witness_start();
	enter_new(CLONE_NEWUTS);
	snprintf(node, sizeof node, "node-%08x", (unsigned)seed_for(1));
	snprintf(domain, sizeof domain, "domain-%08x.example", (unsigned)seed_for(2));
	if (sethostname(node, strlen(node)) || setdomainname(domain, strlen(domain)))
		die("sethostname");
	start_partner(NULL, answer);
	serve(describe, verify, damages);
}
