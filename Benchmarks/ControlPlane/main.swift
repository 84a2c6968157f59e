// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser

BenchmarkCommand.main()
