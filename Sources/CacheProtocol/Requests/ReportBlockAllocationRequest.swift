// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

/// `report_block_allocation`: which blocks and tokens a scheduler step added; feeds statistics only.
package struct ReportBlockAllocationRequest: OperationRequest {
    /// The sender's process id.
    package var processID: Int64
    package var modelName: String
    package var records: [Record]

    package struct Record: Sendable, Equatable {
        package var requestID: String
        package var blockIDs: [Int]
        package var tokenIDs: [Int]

        package init(requestID: String, blockIDs: [Int], tokenIDs: [Int]) {
            self.requestID = requestID
            self.blockIDs = blockIDs
            self.tokenIDs = tokenIDs
        }
    }

    package init(processID: Int64, modelName: String, records: [Record]) {
        self.processID = processID
        self.modelName = modelName
        self.records = records
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 3)
        self.processID = try frames.lenientInteger(0, "pid")
        self.modelName = try frames.name(1, "model_name")
        self.records = try frames.value(2) { (reader) throws(ProtocolError) in
            try reader.list("records", limit: ProtocolLimits.recordCount) { (element) throws(ProtocolError) in
                try Record(from: &element)
            }
        }
    }

    package func encodedPayloads() -> [[UInt8]] {
        [
            encodedFrame { $0.write(self.processID) }, encodedFrame { $0.write(self.modelName) },
            encodedFrame { writer in
                writer.writeArrayHead(self.records.count)
                for record in self.records { record.write(to: &writer) }
            },
        ]
    }
}

extension ReportBlockAllocationRequest.Record {
    fileprivate init(from reader: inout PayloadReader) throws(ProtocolError) {
        var requestID: String?
        var blockIDs: [Int]?
        var tokenIDs: [Int]?
        for _ in 0..<(try reader.mapCount("")) {
            let name = try reader.string("")
            switch name {
            case "req_id": requestID = try reader.name(name)
            case "new_block_ids": blockIDs = try reader.integerList(name)
            case "new_token_ids": tokenIDs = try reader.integerList(name)
            default: try reader.skip(name)
            }
        }
        guard let requestID else { throw .missing(field: "req_id") }
        guard let blockIDs else { throw .missing(field: "new_block_ids") }
        guard let tokenIDs else { throw .missing(field: "new_token_ids") }
        self.init(requestID: requestID, blockIDs: blockIDs, tokenIDs: tokenIDs)
    }

    fileprivate func write(to writer: inout MessagePackWriter) {
        writer.writeMapHead(3)
        writer.write("req_id")
        writer.write(self.requestID)
        writer.write("new_block_ids")
        writer.write(self.blockIDs)
        writer.write("new_token_ids")
        writer.write(self.tokenIDs)
    }
}
