/* headgate: the operator's command. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return hg_cli_run(argc, argv, HG_VERSION, stdout, stderr);
}
