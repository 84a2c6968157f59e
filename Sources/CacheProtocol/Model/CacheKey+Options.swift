// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// Options of single requests that concern the server.
extension CacheKey {
    /// Whether a retrieve is to be answered when its bytes are in place, with no event, instead of when it is enqueued.
    ///
    /// An extension, announced as ``repliesWhenLoadedName`` among the capabilities.
    package var repliesWhenLoaded: Bool {
        guard let raw = self.requestConfigurations else { return false }
        var reader = MessagePackReader(raw)
        do {
            for _ in 0..<(try reader.readMapCount()) {
                var name: String?
                if try reader.peekKind() == .string { name = try reader.readString() } else { try reader.skip() }
                if name == Self.repliesWhenLoadedKey, try reader.peekKind() == .boolean {
                    return try reader.readBoolean()
                }
                try reader.skip()
            }
        } catch {
            // What cannot be read asks for nothing.
        }
        return false
    }

    private static let repliesWhenLoadedKey = "lmcache.mp.reply_when_loaded"
    package static let repliesWhenLoadedName = "reply_when_loaded"
}
