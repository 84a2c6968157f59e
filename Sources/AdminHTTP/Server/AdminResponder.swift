// lmcache · SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Joins the front to Hummingbird.
struct AdminResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    let front: AdminFront
    let maximumBodyBytes: Int
    let logger: Logger

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        let answer = try await self.front.respond(
            method: request.method.rawValue,
            target: request.head.path ?? "/",
            body: { try await self.body(of: request) }
        )
        self.logger.debug("\(request.method.rawValue) \(request.head.path ?? "/") \(answer.status)")
        return Self.response(answer, isHead: request.method == .head)
    }

    private func body(of request: Request) async throws -> [UInt8] {
        if let announced = request.headers[.contentLength].flatMap({ Int($0) }), announced > self.maximumBodyBytes {
            throw AdminFront.BodyFailure.tooLarge
        }
        var bytes: [UInt8] = []
        for try await part in request.body {
            guard part.readableBytes <= self.maximumBodyBytes - bytes.count else {
                throw AdminFront.BodyFailure.tooLarge
            }
            bytes.append(contentsOf: part.readableBytesView)
        }
        return bytes
    }

    private static func response(_ answer: AdminResponse, isHead: Bool) -> Response {
        var headers = HTTPFields()
        if !answer.contentType.isEmpty { headers[.contentType] = answer.contentType }
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        headers[.contentLength] = String(answer.body.utf8.count)
        // The answer to HEAD has the length of a body that is not sent.
        let body = isHead ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(string: answer.body))
        return Response(status: .init(code: answer.status), headers: headers, body: body)
    }
}
