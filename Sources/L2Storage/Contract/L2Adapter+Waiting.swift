// lmcache · SPDX-License-Identifier: Apache-2.0

internal import NativeThreads

extension L2Adapter {
    /// Submits a batch and waits for its results; every item fails as unavailable when the batch is refused.
    ///
    /// For tools and tests: it blocks the calling thread until the task ends, so something must expire overdue tasks.
    package func perform(_ operation: L2Operation, deadline: L2Instant? = nil) -> [L2Result] {
        let answer = Answer<[L2Result]>()
        switch self.submit(L2Batch(operation, deadline: deadline) { answer.give($0) }) {
        case .accepted: return answer.wait()
        case .busy: return Array(repeating: .failed(.unavailable), count: operation.count)
        case .closed: return Array(repeating: .failed(.closed), count: operation.count)
        }
    }

    /// Asks for a page and waits for it.
    package func page(_ query: L2ListQuery) -> Result<L2Page, L2Failure> {
        let answer = Answer<Result<L2Page, L2Failure>>()
        switch self.list(query, completion: { answer.give($0) }) {
        case .accepted: return answer.wait()
        case .busy: return .failure(.unavailable)
        case .closed: return .failure(.closed)
        }
    }
}

private final class Answer<Value: Sendable>: Sendable {
    private let queue = BoundedQueue<Value>(capacity: 1)

    func give(_ value: Value) {
        precondition(self.queue.push(value), "a completion runs once")
    }

    func wait() -> Value {
        guard let value = self.queue.pop() else { preconditionFailure("nobody closes this queue") }
        return value
    }
}
