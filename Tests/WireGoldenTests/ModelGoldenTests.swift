// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import Foundation
import KVModel
import MessagePack
import Testing

@Suite struct ModelGoldenTests {
    /// A registration that holds one descriptor, around the recorded extension value.
    private static func registration(descriptor: [UInt8]) throws -> KVCacheRegistration {
        let golden = try Goldens.named("request/register_kv_cache_cpu_shm")
        var payloads = Array(golden.frames.dropFirst(2))
        payloads[1] = [0x91] + descriptor
        let request = try RegisterRequest(payloads: payloads)
        #expect(request.encodedPayloads() == payloads)
        return request.registration
    }

    @Test(arguments: Goldens.all(kind: "descriptor_ext"))
    func descriptorDecodesAndEncodesByteForByte(vector: GoldenVector) throws {
        let descriptors = try Self.registration(descriptor: vector.frames[0]).tensors
        #expect(descriptors.count == 1)
    }

    @Test(arguments: Goldens.all(kind: "descriptor"))
    func descriptorDataIsTheExtensionsData(vector: GoldenVector) throws {
        let value = MessagePackValue.extension(type: 1, data: vector.frames[0])
        #expect(try Self.registration(descriptor: value.encoded).tensors.count == 1)
        let ext = try Goldens.named(vector.name.replacingOccurrences(of: "descriptor/", with: "descriptor_ext/"))
        #expect(ext.frames[0] == value.encoded)
    }

    @Test func descriptorFieldsMeanWhatWasRecorded() throws {
        let shared = try Self.registration(descriptor: try Goldens.named("descriptor_ext/cpu_shm").frames[0]).tensors[0]
        #expect(shared.storage == .cpuSharedMemory(name: "/lmcache_kv_4242_0", byteCount: 192))
        #expect(shared.deviceUUID == "cpu")
        #expect(shared.tensor.elementType == .float16)
        #expect(shared.tensor.shape == [2, 6, 2, 1, 4])
        #expect(shared.tensor.stride == [48, 8, 4, 4, 1])
        let golden = try Goldens.named("descriptor_ext/cuda_vmm_posix_fd")
        guard case .cudaVMM(let memory) = try Self.registration(descriptor: golden.frames[0]).tensors[0].storage else {
            Issue.record("not read as VMM memory")
            return
        }
        #expect(memory.fabricHandle == nil)
        #expect(memory.exportID == Array(0..<16))
        #expect(memory.byteCount == 393_216)
    }

    @Test func lookupFieldsMeanWhatWasRecorded() throws {
        let golden = try Goldens.named("request/lookup_full_key")
        let key = try LookupRequest(payloads: Array(golden.frames.dropFirst(2))).key
        #expect(key.modelName == "my/model")
        #expect(key.worldSize == 2)
        #expect(key.workerID == nil)
        #expect(key.tokenIDs == [1, 127, 128, 255, 256, 65_535, 65_536, 2_147_483_647])
        #expect(key.start == 0 && key.end == 8)
        #expect(key.requestID == "req-1")
        #expect(key.cacheSalt == "tenant-a")
        #expect(key.readerCount == 2)
        var configurations = MessagePackReader(try #require(key.requestConfigurations))
        #expect(try configurations.readMapCount() == 3)
    }

    @Test func transferFieldsMeanWhatWasRecorded() throws {
        let store = try StoreRequest(
            payloads: Array(try Goldens.named("request/store_two_groups").frames.dropFirst(2))
        )
        #expect(store.key.workerID == 1)
        #expect(store.instance == InstanceID(0x1122_3344_5566_7788))
        #expect(store.blockIDs == [[1, 2, 3, 300], [70_000, 5]])
        #expect(store.event == Array(0..<64))
        let retrieve = try RetrieveRequest(
            payloads: Array(try Goldens.named("request/retrieve").frames.dropFirst(2))
        )
        #expect(retrieve.skipFirstTokens == 2)
    }

    @Test func registrationFieldsMeanWhatWasRecorded() throws {
        let golden = try Goldens.named("request/register_kv_cache_sglang_unified")
        let registration = try RegisterRequest(payloads: Array(golden.frames.dropFirst(2))).registration
        #expect(registration.engine == .sglang)
        #expect(registration.hints == LayoutHints(listLayout: .unified))
        #expect(registration.groups.count == 2)
        #expect(
            registration.groups.last
                == EngineGroup(
                    engineGroupID: 1,
                    layerIndices: [1],
                    tokensPerBlock: 256,
                    slidingWindowTokens: 256,
                    isRecurrentState: true
                )
        )
        let tensorRT = try RegisterRequest(
            payloads: Array(try Goldens.named("request/register_kv_cache_trtllm").frames.dropFirst(2))
        ).registration
        #expect(tensorRT.hints == LayoutHints(kvLayout: .hnd, kvHeadCount: 8, tokensPerBlock: 32, headDimension: 128))
    }

    @Test(arguments: Goldens.all(kind: "event"))
    func eventHandleSurvives(vector: GoldenVector) throws {
        // The stub is recorded as text in `decoded` and as bytes in `hex`.
        let handle = EventHandle(bytes: vector.frames[0])
        #expect(handle.bytes == vector.frames[0])
        switch handle {
        case .timelineSemaphore(let semaphore):
            #expect(Int(semaphore.slotOffset) == vector.number("slot_offset"))
            #expect(Int(semaphore.sequence) == vector.number("sequence"))
        case .opaque(let bytes): #expect(bytes == EventHandle.cpuStub)
        case .cudaInterprocess: Issue.record("none is recorded")
        }
    }

    @Test(arguments: Goldens.all(kind: "kv_rank"))
    func rankPacks(vector: GoldenVector) throws {
        let worldSize = try #require(vector.number("world_size"))
        let rank = KVRank(worldSize: worldSize, rank: try #require(vector.number("worker_id")))
        #expect(Int(rank.rawValue) == vector.number("kv_rank"))
        #expect(vector.frames[0].reduce(0) { $0 << 8 | UInt32($1) } == rank.rawValue)
    }

    @Test func objectKeySpellsAsRecorded() throws {
        let golden = try Goldens.named("object_key/filename")
        let text = try JSONDecoder().decode(String.self, from: golden.decoded)
        let key = ObjectKey(
            chunkHash: try #require(ChunkHash(bytes: Array(0..<32))),
            modelName: "my/model",
            kvRank: KVRank(worldSize: 2, rank: 1),
            objectGroup: 0,
            cacheSalt: ""
        )
        #expect(key.description == text)
    }
}
