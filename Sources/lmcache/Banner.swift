// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// Five lines on standard error that say which program and version runs.
enum Banner {
    /// False when `LMCACHE_DISABLE_BANNER` is `1`, `true` or `yes` in any case.
    static func isWanted(_ environment: [String: String]) -> Bool {
        !["1", "true", "yes"].contains(environment["LMCACHE_DISABLE_BANNER"]?.lowercased() ?? "")
    }

    /// The lines, without colour.
    static let text = """
         ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄
         █ ▓▓ █ ▒▒ █ ░░ █   lmcache \(LMCacheVersion.current), KV cache server
         █ ▓▓ █ ▒▒ █ ░░ █   speaks the protocol of LMCache \(LMCacheVersion.compatibleWith)
         ▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀
         LMCACHE_DISABLE_BANNER=1 hides this.

        """

    /// Prints the banner unless it is switched off.
    static func print(_ context: CommandContext) {
        if self.isWanted(context.environment) { context.writeError(self.text) }
    }
}
