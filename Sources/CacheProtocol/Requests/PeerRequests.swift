// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// `p2p_lookup_and_lock`: another server wants objects of ours.
package struct PeerLookupRequest: OperationRequest {
    package var keys: [ObjectKey]
    /// What the asker expects of each object group's bytes, in the order given.
    package var layouts: [GroupLayout]

    package struct GroupLayout: Sendable, Equatable {
        package var objectGroup: Int
        package var parts: [ObjectLayout.Part]

        package init(objectGroup: Int, parts: [ObjectLayout.Part]) {
            self.objectGroup = objectGroup
            self.parts = parts
        }
    }

    package init(keys: [ObjectKey], layouts: [GroupLayout]) {
        self.keys = keys
        self.layouts = layouts
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 2)
        self.keys = try frames.objectKeys(0)
        self.layouts = try frames.value(1) { (reader) throws(ProtocolError) in
            var layouts: [GroupLayout] = []
            for _ in 0..<(try reader.mapCount("layouts")) {
                let group = try reader.integer("layouts", in: 0...ProtocolLimits.geometry)
                layouts.append(GroupLayout(objectGroup: group, parts: try reader.memoryLayout("layouts")))
            }
            return layouts
        }
    }

    package func encodedPayloads() -> [[UInt8]] {
        [
            encodedFrame { $0.write(self.keys) },
            encodedFrame { writer in
                writer.writeMapHead(self.layouts.count)
                for layout in self.layouts {
                    writer.write(layout.objectGroup)
                    writer.write(layout.parts)
                }
            },
        ]
    }
}

/// `p2p_query_lookup_results`: where the objects of a lookup lie.
package struct PeerQueryRequest: OperationRequest {
    package var task: Int64

    package init(task: Int64) { self.task = task }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        self.task = try PayloadFrames(payloads, count: 1).lenientInteger(0, "task_id")
    }

    package func encodedPayloads() -> [[UInt8]] { [encodedFrame { $0.write(self.task) }] }
}

/// `p2p_unlock_objects`: another server has its copy.
package struct PeerUnlockRequest: OperationRequest {
    package var keys: [ObjectKey]

    package init(keys: [ObjectKey]) { self.keys = keys }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        self.keys = try PayloadFrames(payloads, count: 1).objectKeys(0)
    }

    package func encodedPayloads() -> [[UInt8]] { [encodedFrame { $0.write(self.keys) }] }
}
