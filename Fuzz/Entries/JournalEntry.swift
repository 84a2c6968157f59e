// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheService

/// Opens arbitrary bytes as a registration journal, adds to it and opens it again; stops the process when a record is
/// lost or changed on its way.
public func fuzzJournalFile(_ bytes: [UInt8]) { fuzzJournal(bytes) }
