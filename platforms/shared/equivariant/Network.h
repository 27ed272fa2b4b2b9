// The weights of the network of a coupling (EquivariantCouplingModel). Included inside a namespace after
// ResidualNetwork.h. No include guard: each meaning of `real` includes it once.

struct Block {
    Block(const EquivariantCouplingModel::BlockPlace& place, const double* parameters)
        : receiver(place.receiver, parameters),
          sender(place.sender, parameters),
          distances(place.distances, parameters),
          edge(place.edge, parameters),
          gate(place.gate),
          shift(place.shift, parameters),
          shiftOutput(place.shiftOutput, parameters),
          hasCross(place.crossOutput.outputs > 0),
          node(place.node, parameters),
          nodeOutput(place.nodeOutput, parameters) {
        const double* weight = parameters + gate.weight;
        gateWeight.assign(weight, weight + gate.inputs);
        gateBias = parameters[gate.bias];
        if (hasCross) {
            cross = Residual(place.cross, parameters);
            crossOutput = Layer(place.crossOutput, parameters);
        }
    }
    Layer receiver, sender, distances;
    NormalizedLayer edge;
    LayerPlace gate;
    std::vector<Scalar> gateWeight;
    Scalar gateBias;
    Residual shift;
    Layer shiftOutput;
    bool hasCross;
    Residual cross;
    Layer crossOutput;
    Residual node;
    Layer nodeOutput;
};

/** The weights of a network. Shared by all threads. */
struct Network {
    Network(const EquivariantCouplingModel& model, const EquivariantCouplingModel::CouplingPlace& place,
            const double* parameters)
        : types(model.getParticles().types), conditioning(place.conditioning), embedding(place.embedding) {
        const double* first = parameters + place.embedding;
        const std::vector<double> table(first,
                                        first + (size_t)model.getNumTypes() * model.getOptions().features);
        embeddings.assign(table.begin(), table.end());
        for (const auto& block : place.blocks)
            blocks.emplace_back(block, parameters);
        firstSenderTerms = makeTerms(place.blocks[0].sender, table, parameters, model.getNumTypes());
        firstReceiverTerms = makeTerms(place.blocks[0].receiver, table, parameters, model.getNumTypes());
        const LayerPlace& node = place.blocks[0].node.first;
        firstNodeTerms = makeTerms(node, table, parameters, model.getNumTypes());
        const int numHidden = node.outputs;
        firstNode = Matrix(
            numHidden, numHidden,
            [&](int i, int j) { return parameters[node.weight + (size_t)i * node.inputs + j]; },
            [](int) { return 0.0; });
        numVectors = model.getNumVectors(place);
        const int vectorsPerCloud = numVectors / (int)place.transformed.size();
        for (int k = 0; k < numVectors; k++)
            sources.push_back(k / vectorsPerCloud % (int)conditioning.size());
    }
    /** What a layer, whose last inputs are the features, makes of those of each type. */
    static std::vector<Scalar> makeTerms(const LayerPlace& layer, const std::vector<double>& table,
                                         const double* parameters, int numTypes) {
        std::vector<Scalar> terms;
        const int features = (int)table.size() / numTypes, others = layer.inputs - features;
        for (int type = 0; type < numTypes; type++)
            for (int i = 0; i < layer.outputs; i++) {
                double sum = layer.hasBias ? parameters[layer.bias + i] : 0;
                for (int j = 0; j < features; j++)
                    sum += parameters[layer.weight + (size_t)i * layer.inputs + others + j]
                           * table[(size_t)type * features + j];
                terms.push_back((Scalar)sum);
            }
        return terms;
    }
    std::vector<int> types, conditioning;
    size_t embedding;
    std::vector<Scalar> embeddings;
    std::vector<Block> blocks;
    /** In block 0 the features are those of types, and what layers make of them is known: (types, hidden). */
    std::vector<Scalar> firstSenderTerms, firstReceiverTerms, firstNodeTerms;
    /** What is left of the first layer of `node` in block 0. */
    Matrix firstNode;
    int numVectors;
    /** For each vector, which of the conditioning clouds it starts on. */
    std::vector<int> sources;
};
