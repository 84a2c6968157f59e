// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

extension InlineJob {
    /// Does the job on the calling thread and calls its completion.
    func run(arena: ArenaView) {
        switch self {
        case .write(let pickle, let places, let layout, let completion):
            completion(Self.write(pickle, places: places, layout: layout, arena: arena))
        case .read(let places, let layout, let completion):
            completion(Self.read(places, layout: layout, arena: arena))
        }
    }

    private static func write(
        _ pickle: [UInt8], places: [ArenaRange?], layout: ObjectLayout, arena: ArenaView
    ) -> Result<[Bool], InlineError> {
        guard layout.parts.count == 1, places.allSatisfy({ $0.map { self.fits($0, layout, arena) } ?? true }) else {
            return .failure(.wrongPlace)
        }
        let part = layout.parts[0]
        let chunks: PickledChunks
        do throws(PickleError) {
            chunks = try PickledChunks(pickle)
        } catch {
            return .failure(.malformed("\(error.text) at byte \(error.offset)"))
        }
        let written = places.enumerated().map { index, place in
            guard let place, index < chunks.tensors.count, let base = arena.address(of: place) else { return false }
            let tensor = chunks.tensors[index].tensor
            guard tensor.shape == part.shape, tensor.elementType == part.elementType else { return false }
            chunks.copy(index, to: UnsafeMutableRawBufferPointer(start: base, count: place.byteCount))
            return true
        }
        return .success(written)
    }

    private static func read(
        _ places: [ArenaRange], layout: ObjectLayout, arena: ArenaView
    ) -> Result<[UInt8], InlineError> {
        guard layout.parts.count == 1, places.allSatisfy({ self.fits($0, layout, arena) }) else {
            return .failure(.wrongPlace)
        }
        var writer = PickleWriter(part: layout.parts[0], tensorCount: places.count)
        for place in places {
            guard let base = arena.address(of: place) else { return .failure(.wrongPlace) }
            writer.append(UnsafeRawBufferPointer(start: base, count: place.byteCount))
        }
        return .success(writer.finish())
    }

    private static func fits(_ place: ArenaRange, _ layout: ObjectLayout, _ arena: ArenaView) -> Bool {
        place.byteCount == layout.byteCount && arena.address(of: place) != nil
    }
}
