// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// `cb_unified_lookup`: pieces found in a prompt, or nil while the search goes on.
package struct UnifiedLookupReply: OperationReply {
    package var result: Result?

    package struct Result: Sendable, Equatable {
        package var prefixTokens: Int
        package var segments: [BlendMatch]
        package var prefixSegments: [BlendMatch]

        package init(prefixTokens: Int, segments: [BlendMatch], prefixSegments: [BlendMatch]) {
            self.prefixTokens = prefixTokens
            self.segments = segments
            self.prefixSegments = prefixSegments
        }
    }

    package init(_ result: Result?) { self.result = result }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self.result = nil
        guard let frame else { return }
        self.result = try decodeReply(frame) { (reader) throws(ProtocolError) in
            var tokens: Int?
            var segments: [BlendMatch]?
            var prefixSegments: [BlendMatch]?
            for _ in 0..<(try reader.mapCount("reply")) {
                let name = try reader.string("reply")
                switch name {
                case "prefix_coverage_tokens": tokens = try reader.integer(name, in: 0...Int(Int64.max))
                case "non_prefix_segments": segments = try reader.blendMatches(name)
                case "segmented_prefix_segments": prefixSegments = try reader.blendMatches(name)
                default: try reader.skip(name)
                }
            }
            guard let tokens else { throw .missing(field: "prefix_coverage_tokens") }
            guard let segments else { throw .missing(field: "non_prefix_segments") }
            guard let prefixSegments else { throw .missing(field: "segmented_prefix_segments") }
            return Result(prefixTokens: tokens, segments: segments, prefixSegments: prefixSegments)
        }
    }

    package func encoded() -> [UInt8]? {
        guard let result = self.result else { return nil }
        return encodedFrame { writer in
            writer.writeMapHead(3)
            writer.write("prefix_coverage_tokens")
            writer.write(result.prefixTokens)
            writer.write("non_prefix_segments")
            writer.write(result.segments)
            writer.write("segmented_prefix_segments")
            writer.write(result.prefixSegments)
        }
    }
}
