// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import NativeThreads
import Synchronization

/// Moves chunks that travel inside messages (a pickled list of tensors) in and out of the arena, on its own thread.
package final class InlineChunkCopier: Sendable {
    private let queue: BoundedQueue<InlineJob>
    private let thread: Mutex<NativeThread?>

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - arena: Must stay mapped until ``stop()`` has returned.
    ///   - queueLimit: Jobs that wait at once.
    package init(arena: ArenaView, queueLimit: Int) {
        let queue = BoundedQueue<InlineJob>(capacity: queueLimit)
        self.queue = queue
        self.thread = Mutex(
            NativeThread(name: "lmc-copy-inline") {
                while let job = queue.pop() { job.run(arena: arena) }
            })
    }

    /// Enqueues and returns at once. False, with nothing taken and no callback to come, when full or stopped.
    package func submit(_ job: InlineJob) -> Bool { self.queue.push(job) }

    /// Finishes what is queued and joins the thread. Never call it from a callback.
    package func stop() {
        self.queue.close()
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }
}

/// One request's chunks. Wire protocol §5.2, §5.3, §5.5.
package enum InlineJob: Sendable {
    /// Reads a pickle and writes chunk i to `places[i]`; nil skips a chunk.
    ///
    /// The answer has one element a place: true where the chunk's bytes are in the arena (always false for nil). A
    /// chunk is refused alone when its shape or element type differs from the layout, or when the pickle has too few.
    case write(
        pickle: [UInt8], places: [ArenaRange?], layout: ObjectLayout,
        completion: @Sendable (Result<[Bool], InlineError>) -> Void)
    /// Pickles the objects at `places`, in order.
    case read(
        places: [ArenaRange], layout: ObjectLayout, completion: @Sendable (Result<[UInt8], InlineError>) -> Void)
}

/// Why a whole job failed.
package enum InlineError: Error, Equatable, CustomStringConvertible {
    /// The bytes are not what a client sends.
    case malformed(String)
    /// The layout has no one-tensor form, or a place does not fit it.
    case wrongPlace

    package var description: String {
        switch self {
        case .malformed(let text): "chunk data is not a list of tensors: \(text)"
        case .wrongPlace: "an object's place does not fit its layout"
        }
    }
}
