// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

exit(CommandLineProgram().run(Array(CommandLine.arguments.dropFirst())).rawValue)
