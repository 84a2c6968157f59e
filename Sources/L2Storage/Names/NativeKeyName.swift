// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// The spelling `model@rank@group@hash[@salt]` of resp, S3 and the other media whose keys are strings.
///
/// Rank: 8 lower-case hexadecimal digits; group: plain hexadecimal. Source: storage reference §4.3.
package enum NativeKeyName {
    /// The key as a Redis or Valkey key.
    package static func spelled(_ key: ObjectKey) -> String { key.description }

    /// Whether the key's name, read back, gives the key.
    package static func isSpellable(_ key: ObjectKey) -> Bool { KeyFields.isSpellable(key) }

    /// The key behind a name, or nil for a name of another origin.
    package static func parsed(_ name: String) -> ObjectKey? {
        KeyFields.parsed(Array(name.utf8)[...], rankPrefix: "")?.key { $0 }
    }
}
