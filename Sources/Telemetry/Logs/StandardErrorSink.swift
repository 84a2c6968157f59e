// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims

/// Standard error as a target for log lines; each line is one write(2).
package enum StandardErrorSink {
    package static func write(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { lmc_write_standard_error($0.baseAddress, $0.count) }
        }
    }
}
